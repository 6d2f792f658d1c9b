import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agent } from "../agent/agent.ts";
import { FAMILIES } from "../lab/addresses.ts";
import { fillBuiltInChains } from "../lab/built-in-chains.ts";
import { Lab } from "../lab/lab.ts";
import type { LabHost } from "../lab/lab-host.ts";
import { stampProxy } from "../lab/stamp.ts";
import { DNS_PROXY_PORT, DnsServer, WHO } from "../programs/dns-server.ts";
import type { LoadResult, Place, StreamResult } from "../programs/endpoint/protocol.ts";
import type { Endpoint } from "../programs/endpoint.ts";
import { Haproxy } from "../programs/haproxy.ts";
import { within } from "../slow.ts";
import { compareSnapshots, type Snapshot, snapshot } from "../snapshot/snapshot.ts";
import { ServerEscapes } from "../suite/server-escapes.ts";
import { numberFrom } from "./switch-size.ts";

/** `make test-switch` runs this with the sizes that it is about; a machine that does other things as well gets by with these. */
const SWITCHES = numberFrom("MILLRACE_SWITCHES", 2);
const RATE = numberFrom("MILLRACE_SWITCH_RATE", 40);
const STREAMS = numberFrom("MILLRACE_SWITCH_STREAMS", 24);
const SERVERS = numberFrom("MILLRACE_SWITCH_SERVERS", 2);
const STREAM_INTERVAL_MS = numberFrom("MILLRACE_SWITCH_STREAM_INTERVAL_MS", 20);
const PORT = 8080;
const DNS_PORT = 53;
/**
 * Between two questions. For about half a minute after a switch conntrack in the proxy's namespace keeps what both backends led there,
 * under one port of the member. Where a thousand questions a second have used nearly all its ports, one of some ten thousand finds no
 * free one in the attempts that the kernel makes (nf_nat_l4proto_unique_tuple, net/netfilter/nf_nat_core.c) and is dropped.
 */
const QUESTION_PAUSE_MS = 10;
/** How many source ports members have, and the proxy. */
const PORTS = `20000 ${19_999 + numberFrom("MILLRACE_SWITCH_PORTS", 20_000)}`;
const MEMBERS = ["m1", "m2"];
/** From when an agent serves its status: while it opens, joins, hands over. */
const KILL_AFTER_MS = [180, 300, 450, 700, 1000, 1500, 2200, 3000];
const BACKENDS = ["ebpf", "iptables"] as const;
const servers = Array.from({ length: SERVERS }, (_, index) => `s${index}`);

let lab: Lab;
let proxy: Haproxy;
let dns: DnsServer;
let before: Snapshot;
let agent: Agent;

beforeAll(async () => {
  lab = await Lab.create({ prefix: "ls", nodes: [{ pods: MEMBERS, proxies: ["z1"] }], externals: servers });
  const node = lab.node(1);
  for (const host of [...MEMBERS.map((name) => lab.pod(name)), ...servers.map((name) => lab.external(name))]) {
    await (await host.endpoint()).listen(PORT);
  }
  // Members and the proxy choose their ports from the same few: what one has had the other gets soon, with conntrack still knowing of it.
  for (const pod of [...MEMBERS, "z1"].map((name) => lab.pod(name))) {
    await pod.namespace.runChecked("sysctl", [
      "-qw",
      `net.ipv4.ip_local_port_range=${PORTS}`,
      // A port that waits is used again after a second (Documentation/networking/ip-sysctl.rst).
      "net.ipv4.tcp_tw_reuse=1",
    ]);
  }
  proxy = await Haproxy.start(lab.pod("z1"), { directory: join(node.paths.root, "proxy") });
  dns = await DnsServer.start(lab.pod("z1"), DNS_PROXY_PORT, "proxy", node.paths.root);
  await stampProxy(lab.pod("z1"));
  await fillBuiltInChains([node.namespace, lab.pod("z1").namespace], "nft");
  before = await snapshot(node);
  node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
  node.applyNamespace("istio-system");
  for (const pod of node.pods) node.applyPod(pod);
  agent = await Agent.start(node, {
    redirectMode: "ebpf",
    backends: { ebpf: { releaseSeconds: 1 }, iptables: { releaseSeconds: 1 } },
    settings: { dnsCapture: true, enrolExisting: "reset" },
  });
  await agent.untilActive(lab.pod("z1"));
  await agent.untilEnrolled(...MEMBERS.map((name) => lab.pod(name)));
});
afterAll(async () => {
  await dns?.[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

const places = (hosts: readonly LabHost[]): Place[] =>
  FAMILIES.flatMap((family) => hosts.map((host) => ({ host: host.address(family), port: PORT })));

/** Questions one after the other, each for itself, until told to stop; what was not answered by the proxy. */
async function ask(signal: AbortSignal): Promise<{ asked: number; unanswered: unknown[] }> {
  const client = await lab.pod("m1").endpoint();
  const world = lab.external("s0");
  const unanswered: unknown[] = [];
  let asked = 0;
  while (!signal.aborted) {
    for (const family of FAMILIES) {
      const heard = await client.ask("askDns", {
        servers: [{ host: world.address(family), port: DNS_PORT }],
        name: WHO,
        timeoutMs: within(2_000),
      });
      asked += 1;
      if (heard[0]?.text !== "proxy") unanswered.push({ at: new Date().toISOString(), ...heard[0] });
    }
    await sleep(QUESTION_PAUSE_MS);
  }
  return { asked, unanswered };
}

/** Connections at a steady rate in bursts, until told to stop. */
async function load(
  from: LabHost,
  targets: readonly Place[],
  rate: number,
  signal: AbortSignal,
): Promise<LoadResult[]> {
  const results: LoadResult[] = [];
  while (!signal.aborted) {
    results.push(await (await from.endpoint()).ask("load", { targets, rate, seconds: 2, timeoutMs: within(8_000) }));
  }
  return results;
}

async function switchTo(backend: string): Promise<void> {
  const { status, stdout, stderr } = await agent.millrace("switch", backend, "--no-wait");
  expect(status, stdout + stderr).toBe(0);
  await untilServedBy(backend);
}

async function untilServedBy(backend: string): Promise<void> {
  await agent.until(
    `redirection by ${backend} alone`,
    (found) => found.agent.backend === backend && (found.switch as { state?: string } | undefined)?.state === "done",
    within(60_000),
  );
}

/** Everything that goes on meanwhile. */
class Traffic {
  readonly #stop = new AbortController();
  readonly #streams: [Endpoint, { handle: number }][] = [];
  readonly #escapes: ServerEscapes;
  readonly #loads: Promise<LoadResult[]>[];
  readonly #questions: ReturnType<typeof ask>;

  private constructor(escapes: ServerEscapes) {
    this.#escapes = escapes;
    this.#loads = [
      load(lab.pod("m1"), outbound(), Math.ceil(RATE * 0.8), this.#stop.signal),
      load(lab.external("s0"), inbound(), Math.ceil(RATE * 0.2), this.#stop.signal),
    ];
    this.#questions = ask(this.#stop.signal);
  }

  static async start(): Promise<Traffic> {
    const [members, worlds] = [MEMBERS.map((name) => lab.pod(name)), servers.map((name) => lab.external(name))];
    const traffic = new Traffic(await ServerEscapes.start({ node: lab.node(1), members, worlds }));
    await traffic.openStreams();
    return traffic;
  }

  /** A quarter of them that m1 opens, and a quarter that are opened to it. */
  async openStreams(): Promise<void> {
    const count = Math.ceil(STREAMS / 4);
    for (const [host, targets] of [
      [lab.pod("m1"), outbound()],
      [lab.external("s0"), inbound()],
    ] as const) {
      const spread = Array.from({ length: count }, (_, index) => targets[index % targets.length] as Place);
      const endpoint = await host.endpoint();
      const wanted = { targets: spread, intervalMs: STREAM_INTERVAL_MS };
      this.#streams.push([endpoint, await endpoint.ask("startStreams", wanted)]);
    }
  }

  /** Ends it, and expects that nobody has noticed anything. */
  async expectUnharmed(what: string): Promise<void> {
    const { results, kept, questions } = await this.#end();
    const { asked, unanswered } = questions;
    const failures = results.flatMap((result) => result.failures);
    const broken = kept.filter(({ failure }) => failure !== undefined);
    const { escaped, proxied } = await this.#escapes.read();
    await this.#escapes[Symbol.asyncDispose]();
    const made = results.reduce((sum, { attempts }) => sum + attempts, 0);
    const rounds = kept.reduce((sum, stream) => sum + stream.rounds, 0);
    const slowest = Math.max(...results.map(({ latencyMs }) => latencyMs.max));
    console.log(
      `${what}: ${made} connections (slowest ${Math.round(slowest)} ms), ${kept.length} streams of ${rounds} rounds, ${asked} questions; ` +
        `${failures.length} failed, ${escaped} escaped, ${broken.length} broken, ${unanswered.length} unanswered`,
    );
    if (failures.length + broken.length > 0) console.log("how the proxy's connections ended", proxy.troubles());
    expect(failures).toEqual([]);
    expect(broken).toEqual([]);
    expect(unanswered).toEqual([]);
    expect(escaped).toBe(0);
    expect(proxied, "connections that servers had from the proxy").toBeGreaterThanOrEqual(made);
  }

  /** Ends it, whatever has become of it. */
  async end(): Promise<void> {
    await this.#end();
  }

  async #end() {
    this.#stop.abort();
    await Promise.allSettled([...this.#loads, this.#questions]);
    const kept: StreamResult[] = [];
    for (const [endpoint, handle] of this.#streams.splice(0)) kept.push(...(await endpoint.ask("stopStreams", handle)));
    return { results: (await Promise.all(this.#loads)).flat(), kept, questions: await this.#questions };
  }
}

const outbound = (): Place[] => places([...servers.map((name) => lab.external(name)), lab.pod("m2")]);
const inbound = (): Place[] => places([lab.pod("m1")]);

/**
 * What a step left half done must serve until somebody finishes it, which may be never: a load that tries again does not notice seconds.
 * Dialled twice: one port that conntrack remembers is for the load to count, which waits longer.
 */
async function expectServed(when: string): Promise<void> {
  const unserved: string[] = [];
  for (const [from, targets] of [
    [lab.pod("m1"), outbound()],
    [lab.external("s0"), inbound()],
  ] as const) {
    const client = await from.endpoint();
    for (const target of targets) {
      const dial = () => client.ask("report", { ...target, timeoutMs: within(2_000) });
      const first = await dial();
      const outcome = first.ok ? first : await dial();
      if (!outcome.ok) unserved.push(`${from.name} → ${target.host}: ${outcome.failure}`);
    }
  }
  expect(unserved, when).toEqual([]);
}

async function withTraffic(what: string, work: (traffic: Traffic) => Promise<string>): Promise<void> {
  const traffic = await Traffic.start();
  let told: string;
  try {
    told = await work(traffic);
  } catch (error) {
    await traffic.end();
    throw error;
  }
  await traffic.expectUnharmed(`${what}: ${told}`);
}

describe("with connections, streams and questions all the while: nothing fails, nothing breaks, nothing escapes", () => {
  test("when the node is switched again and again", async () => {
    await withTraffic("switch", async (traffic) => {
      const took: number[] = [];
      for (let round = 1; round <= SWITCHES; round++) {
        const began = performance.now();
        await switchTo(BACKENDS[round % 2] as string);
        took.push(Math.round(performance.now() - began));
        // Half of them begin by each backend.
        if (round === 1) await traffic.openStreams();
      }
      return `${SWITCHES} switches in ${took.join(", ")} ms`;
    });
  }, 3_600_000);

  test("when the agent dies in the middle, at one moment after the other, and there and back", async () => {
    await withTraffic("killed", async (traffic) => {
      let kills = 0;
      for (const to of ["iptables", "ebpf"]) {
        const { status, stdout, stderr } = await agent.millrace("switch", to, "--no-wait");
        expect(status, stdout + stderr).toBe(0);
        for (const delayMs of KILL_AFTER_MS) {
          await sleep(delayMs);
          if ((await agent.status()).agent.backend === to) break;
          await agent.kill();
          kills += 1;
          await expectServed(`nobody there, killed ${delayMs} ms after it began`);
          await agent.restart();
        }
        await untilServedBy(to);
        if (to === "iptables") await traffic.openStreams();
      }
      expect(kills).toBeGreaterThan(1);
      return `${kills} times`;
    });
  }, 600_000);
});

test("nothing of either is left after an uninstall", async () => {
  await agent.stop();
  const { status, stdout, stderr } = await agent.millrace("uninstall", "--purge", "--verify");
  expect(status, stdout + stderr).toBe(0);
  expect(compareSnapshots(before, await snapshot(lab.node(1)))).toEqual([]);
});
