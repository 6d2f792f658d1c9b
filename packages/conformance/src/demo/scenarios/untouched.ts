import { FAMILIES, type Family } from "../../lab/addresses.ts";
import type { LabHost } from "../../lab/lab-host.ts";
import { expect, expectSame, type Scenario } from "../scenario.ts";
import { familyName, PORTS, type Stage } from "../stage.ts";

/** Runs `talk` and fails if any proxy took a connection meanwhile. */
export async function withoutProxies<Value>(stage: Stage, talk: () => Promise<Value>): Promise<Value> {
  const marks = ([1, 2] as const).map((node) => stage.proxy(node).mark());
  const value = await talk();
  await new Promise((resolve) => setTimeout(resolve, 100)); // a record is written when its connection ends
  const taken = ([1, 2] as const).flatMap((node) => stage.proxy(node).describe(marks[node - 1]));
  expectSame("connections that a proxy took", taken, []);
  return value;
}

async function probe(stage: Stage, family: Family): Promise<string[]> {
  const node = stage.lab.node(1);
  const seen = await withoutProxies(stage, () => stage.get(node, stage.web.address(family)));
  return [`web: peer ${seen.peer}, an address of the node; no proxy saw it`];
}

async function plainPod(stage: Stage): Promise<string[]> {
  const evidence: string[] = [];
  for (const family of FAMILIES) {
    const seen = await withoutProxies(stage, () => stage.get(stage.legacy, stage.db.address(family)));
    expectSame("the server's peer", seen.peer, stage.legacy.address(family));
    evidence.push(`db: peer ${seen.peer}; no proxy saw it`);
  }
  return evidence;
}

async function udp(stage: Stage): Promise<string[]> {
  const evidence: string[] = [];
  const ways: [LabHost, LabHost][] = [
    [stage.cart, stage.db],
    [stage.world, stage.web],
    [stage.lab.node(1), stage.web],
  ];
  for (const [from, to] of ways) {
    for (const family of FAMILIES) {
      const client = await from.endpoint();
      const outcome = await client.ask("udp", { host: to.address(family), port: PORTS.udp, rounds: 5 });
      expect(outcome.ok, `UDP from ${from.name} to ${to.name} (${familyName(family)}): ${JSON.stringify(outcome)}`);
      if (from !== stage.lab.node(1))
        expectSame("the server's peer", outcome.value.peer.startsWith(from.address(family)), true);
    }
    evidence.push(`${from.name} → ${to.name}: 5 of 5 answered in both families, source kept`);
  }
  return evidence;
}

async function icmp(stage: Stage): Promise<string[]> {
  const evidence: string[] = [];
  for (const [from, to] of [
    [stage.world, stage.web],
    [stage.cart, stage.world],
  ] as const) {
    for (const family of FAMILIES) {
      const { status, stdout } = await from.namespace.run("ping", [
        "-c",
        "2",
        "-i",
        "0.2",
        "-W",
        "2",
        to.address(family),
      ]);
      expect(status === 0, `ping from ${from.name} to ${to.name} (${familyName(family)}): ${stdout}`);
      const ttl = /(?:ttl|hlim)=(\d+)/.exec(stdout)?.[1];
      expectSame("hops on the way (64 − TTL)", 64 - Number(ttl), 1);
    }
    evidence.push(`${from.name} → ${to.name}: answered in both families, one hop, as without Millrace`);
  }
  return evidence;
}

async function neighbours(stage: Stage): Promise<string[]> {
  const before = stage.neighbours.counts();
  await stage.get(stage.lab.node(1), stage.cart.address(4));
  await stage.lab.node(1).namespace.runChecked("ping", ["-c", "1", "-W", "2", stage.cart.address(4)]);
  const after = stage.neighbours.counts();
  const missing = stage.neighbours.missing();
  expect(missing === undefined, missing ?? "");
  expect(
    after.tcx > before.tcx && after.clsact > before.clsact,
    `counters stand still: ${JSON.stringify({ before, after })}`,
  );
  return [
    `on ${stage.cart.hostInterface}: foreign tcx program saw ${after.tcx} frames, foreign clsact filter (prio 1 handle 1) ${after.clsact}`,
  ];
}

/** What goes on as if Millrace were not there. */
export const untouchedScenarios: readonly Scenario[] = [
  ...FAMILIES.map((family) => ({
    name: family === 4 ? "probe" : "probe-ipv6",
    title: `a probe of the node goes straight to the member (${familyName(family)})`,
    show: (stage: Stage) => probe(stage, family),
  })),
  { name: "plain-pod", title: "a pod outside the mesh is untouched, in both families", show: plainPod },
  { name: "udp", title: "UDP of members is untouched, in both families", show: udp },
  { name: "icmp", title: "ICMP of members is untouched, in both families", show: icmp },
  { name: "neighbours", title: "foreign programs on a member's veth keep running beside ours", show: neighbours },
];
