import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Agent } from "../agent/agent.ts";
import { FAMILIES } from "../lab/addresses.ts";
import type { LoadResult, Place } from "../programs/endpoint/protocol.ts";
import { within } from "../slow.ts";
import { LOADED_OPTIONS, LoadedNode } from "./loaded-node.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** New connections a second that each moment of a switch meets. */
const RATE = 60;
/** For how long what is open may end by itself under eBPF: the time in which the agent dies here, longer than anybody tries again. */
const RELEASE_SECONDS = within(5_000) / 1000;
/** What else conntrack knows, so that reading it takes long enough for connections to begin meanwhile. */
const OTHERS = 60_000;

let loaded: LoadedNode;
let agent: Agent;

/**
 * A node that gives each connection of m1 to its proxy another port, as it does by itself where conntrack would have two of one tuple: with
 * few ports, or many connections. What the proxy answers on those only the node can lead back.
 */
beforeAll(async () => {
  loaded = await LoadedNode.create("cp");
  const m1 = loaded.lab.pod("m1");
  const rules = FAMILIES.map(
    (family) =>
      `oifname millrace-out meta l4proto tcp ip${family === 6 ? "6" : ""} saddr ${m1.addresses[family]} ` +
      `counter name changed snat ip${family === 6 ? "6" : ""} to ${family === 6 ? `[${m1.addresses[6]}]` : m1.addresses[4]}:50000-59999`,
  );
  await loaded.node.namespace.runChecked("nft", ["-f", "-"], {
    input: `table inet theirs {
      counter changed { }
      chain postrouting { type nat hook postrouting priority srcnat - 10; ${rules.join("; ")}; }
    }`,
  });
  agent = await Agent.start(loaded.node, {
    ...LOADED_OPTIONS,
    redirectMode: "ebpf",
    backends: { ...LOADED_OPTIONS.backends, ebpf: { releaseSeconds: RELEASE_SECONDS } },
  });
  await agent.untilActive(loaded.proxyPod);
  await agent.untilEnrolled(...loaded.members);
});
afterAll(() => loaded?.[Symbol.asyncDispose]());

/** As many entries of conntrack on the node, for as long as the test takes. */
async function fillConntrack(): Promise<void> {
  const { node, caller, lab } = loaded;
  await node.namespace.runChecked("sysctl", ["-qw", "net.netfilter.nf_conntrack_udp_timeout=900"]);
  const sender = `
    const socket = require("node:dgram").createSocket("udp4").bind(0, async () => {
      for (let port = 1; port <= ${OTHERS}; port++)
        await new Promise((sent) => socket.send("x", port, "${lab.pod("m2").addresses[4]}", sent));
      socket.close();
    });`;
  await caller.namespace.runChecked(process.execPath, ["-e", sender]);
  const count = await node.namespace.runChecked("sysctl", ["-n", "net.netfilter.nf_conntrack_count"]);
  expect(Number(count)).toBeGreaterThan(OTHERS / 2);
}

async function begin(backend: string): Promise<void> {
  const { status, stdout, stderr } = await agent.millrace("switch", backend, "--no-wait");
  expect(status, stdout + stderr).toBe(0);
}

const untilServedBy = (backend: string) =>
  agent.until(
    `redirection by ${backend} alone`,
    (found) => found.agent.backend === backend && (found.switch as { state?: string } | undefined)?.state === "done",
    within(60_000),
  );

/** How many connections of m1 the node has given another port. */
async function changed(): Promise<number> {
  const listed = await loaded.node.namespace.runChecked("nft", ["-j", "list", "counter", "inet", "theirs", "changed"]);
  const { nftables } = JSON.parse(listed) as { nftables: { counter?: { packets: number } }[] };
  return nftables.flatMap(({ counter }) => counter ?? []).reduce((sum, { packets }) => sum + packets, 0);
}

/** Dials until what m1 begins goes by the node. */
async function untilReleased(): Promise<void> {
  const client = await loaded.lab.pod("m1").endpoint();
  const target = loaded.outbound()[0] as Place;
  const deadline = Date.now() + within(30_000);
  while ((await changed()) === 0) {
    expect(Date.now(), "the member was not released").toBeLessThan(deadline);
    expect(await client.ask("report", { ...target, timeoutMs: within(2_000) })).toMatchObject({ ok: true });
  }
}

/** Connections of m1 all the while, and those that failed. */
async function failing(work: () => Promise<void>): Promise<{ made: number; failures: unknown[] }> {
  const client = await loaded.lab.pod("m1").endpoint();
  const results: LoadResult[] = [];
  let isOver = false;
  const loads = (async () => {
    while (!isOver)
      results.push(
        await client.ask("load", { targets: loaded.outbound(), rate: RATE, seconds: 1, timeoutMs: within(8_000) }),
      );
  })();
  await work().finally(() => {
    isOver = true;
  });
  await loads;
  return {
    made: results.reduce((sum, { attempts }) => sum + attempts, 0),
    failures: results.flatMap(({ failures }) => failures),
  };
}

test("what begins by iptables while eBPF lets it by goes on, with nobody there too", async () => {
  await begin("iptables");
  await untilReleased();
  await agent.kill();
  await loaded.expectServed("nobody there, and m1 released by eBPF");
  await agent.restart();
  await untilServedBy("iptables");
});

test("none fails while eBPF joins, nor while iptables does", async () => {
  await fillConntrack();
  const before = await changed();
  const { made, failures } = await failing(async () => {
    for (const backend of ["ebpf", "iptables"]) {
      await begin(backend);
      await untilServedBy(backend);
    }
  });
  console.log(
    `changed ports: ${(await changed()) - before} of ${made} connections, ${failures.length} failed`,
    JSON.stringify(failures.slice(0, 8)),
  );
  expect(failures).toEqual([]);
  expect((await changed()) - before).toBeGreaterThan(0);
});
