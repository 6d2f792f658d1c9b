import { FAMILIES, type Family } from "../../lab/addresses.ts";
import { EscapeCounter } from "../../lab/escape-counter.ts";
import type { LabHost } from "../../lab/lab-host.ts";
import { expect, expectSame, type Scenario } from "../scenario.ts";
import { familyName, PORTS, type Stage } from "../stage.ts";

/** Tries both ways with the proxy down; the servers must not see a single packet of it. */
async function closed(stage: Stage, family: Family): Promise<string[]> {
  if (stage.proxy(1).program.running) await stage.proxy(1).stop();
  const evidence: string[] = [];
  const ways: [LabHost, LabHost][] = [
    [stage.cart, stage.db],
    [stage.world, stage.web],
  ];
  for (const [from, to] of ways) {
    const counter = await EscapeCounter.start(to, from);
    const { status } = await stage.curl(from, to.address(family), PORTS.http, 1);
    const escaped = await counter.read();
    await counter.stop();
    expect(status !== 0, `${from.name} reached ${to.name} with the proxy down`);
    expectSame(`packets of ${from.name} that reached ${to.name}`, escaped.packets, 0);
    evidence.push(`${from.name} → ${to.name}: refused or timed out (curl ${status}), 0 packets got there`);
  }
  return evidence;
}

async function restGoesOn(stage: Stage): Promise<string[]> {
  expect(!stage.proxy(1).program.running, "the proxy is meant to be down");
  const evidence: string[] = [];
  for (const family of FAMILIES) {
    const probed = await stage.get(stage.lab.node(1), stage.web.address(family));
    const plain = await stage.get(stage.legacy, stage.db.address(family));
    evidence.push(
      `${familyName(family)}: probe answered (peer ${probed.peer}), pod outside the mesh answered (peer ${plain.peer})`,
    );
  }
  return evidence;
}

async function back(stage: Stage): Promise<string[]> {
  await stage.restartProxy();
  const evidence: string[] = [];
  for (const family of FAMILIES) {
    const mark = stage.proxy(1).mark();
    await stage.get(stage.cart, stage.db.address(family));
    const taken = await stage.proxy(1).awaitRecords({ frontend: "outbound", source: stage.cart.address(family) }, mark);
    expectSame("connections that the proxy took", taken.length, 1);
    evidence.push(...stage.proxy(1).describe(mark));
  }
  return evidence;
}

/** No proxy: nothing of a member's TCP passes, everything else does. */
export const closedScenarios: readonly Scenario[] = [
  ...FAMILIES.map((family) => ({
    name: family === 4 ? "proxy-down" : "proxy-down-ipv6",
    title: `proxy down: members' TCP fails closed, both ways (${familyName(family)})`,
    show: (stage: Stage) => closed(stage, family),
  })),
  { name: "proxy-down-rest", title: "proxy down: probes and pods outside the mesh go on", show: restGoesOn },
  { name: "proxy-back", title: "proxy process back in its pod: found again by the next connection", show: back },
];
