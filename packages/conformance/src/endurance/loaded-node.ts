import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { AgentOptions } from "../agent/agent.ts";
import { FAMILIES } from "../lab/addresses.ts";
import { fillBuiltInChains } from "../lab/built-in-chains.ts";
import { Lab } from "../lab/lab.ts";
import type { LabHost } from "../lab/lab-host.ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { stampProxy } from "../lab/stamp.ts";
import { DNS_PROXY_PORT, DnsServer, WHO } from "../programs/dns-server.ts";
import type { LoadResult, Place, StreamResult } from "../programs/endpoint/protocol.ts";
import type { Endpoint } from "../programs/endpoint.ts";
import { Haproxy } from "../programs/haproxy.ts";
import { within } from "../slow.ts";
import { type Snapshot, snapshot } from "../snapshot/snapshot.ts";
import { ServerEscapes } from "../suite/server-escapes.ts";
import { numberFrom } from "./switch-size.ts";

/** `make test-switch` and `make test-upgrade` set the sizes that they are about; a machine that does other things as well gets by with these. */
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
const servers = Array.from({ length: SERVERS }, (_, index) => `s${index}`);

/** A node with two members, a proxy that takes DNS too, and servers outside; nothing of Millrace is on it yet. */
export class LoadedNode implements AsyncDisposable {
  readonly lab: Lab;
  /** What was there before. */
  readonly before: Snapshot;
  readonly proxy: Haproxy;
  readonly #dns: DnsServer;

  private constructor(lab: Lab, proxy: Haproxy, dns: DnsServer, before: Snapshot) {
    this.lab = lab;
    this.proxy = proxy;
    this.#dns = dns;
    this.before = before;
  }

  static async create(prefix: string): Promise<LoadedNode> {
    await using making = new AsyncDisposableStack();
    const lab = making.use(
      await Lab.create({ prefix, nodes: [{ pods: MEMBERS, proxies: ["z1"] }], externals: servers }),
    );
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
    const proxy = await Haproxy.start(lab.pod("z1"), { directory: join(node.paths.root, "proxy") });
    const dns = making.use(await DnsServer.start(lab.pod("z1"), DNS_PROXY_PORT, "proxy", node.paths.root));
    await stampProxy(lab.pod("z1"));
    await fillBuiltInChains([node.namespace, lab.pod("z1").namespace], "nft");
    const before = await snapshot(node);
    node.applyNamespace("demo", { "istio.io/dataplane-mode": "ambient" });
    node.applyNamespace("istio-system");
    for (const pod of node.pods) node.applyPod(pod);
    making.move();
    return new LoadedNode(lab, proxy, dns, before);
  }

  get node(): LabNode {
    return this.lab.node(1);
  }

  get members(): LabPod[] {
    return MEMBERS.map((name) => this.lab.pod(name));
  }

  get proxyPod(): LabPod {
    return this.lab.pod("z1");
  }

  get worlds(): LabHost[] {
    return servers.map((name) => this.lab.external(name));
  }

  get caller(): LabHost {
    return this.lab.external("s0");
  }

  /** Where m1 connects to. */
  outbound(): Place[] {
    return places([...this.worlds, this.lab.pod("m2")]);
  }

  /** Where the world connects to. */
  inbound(): Place[] {
    return places([this.lab.pod("m1")]);
  }

  /** Who dials where. */
  get directions(): readonly (readonly [LabHost, Place[]])[] {
    return [
      [this.lab.pod("m1"), this.outbound()],
      [this.caller, this.inbound()],
    ];
  }

  /**
   * What a step left half done must serve until somebody finishes it, which may be never: a load that tries again does not notice seconds.
   * Dialled twice: one port that conntrack remembers is for the load to count, which waits longer.
   */
  async expectServed(when: string): Promise<void> {
    const unserved: string[] = [];
    for (const [from, targets] of this.directions) {
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

  /** Does `work` with connections, streams and questions all the while, and expects that nobody has noticed anything. */
  async withTraffic(what: string, work: (traffic: Traffic) => Promise<string>): Promise<void> {
    const traffic = await Traffic.start(this);
    let told: string;
    try {
      told = await work(traffic);
    } catch (error) {
      await traffic.end();
      throw error;
    }
    await traffic.expectUnharmed(`${what}: ${told}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dns[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
  }
}

/** Of an agent on such a node. */
export const LOADED_OPTIONS = {
  backends: { ebpf: { releaseSeconds: 1 }, iptables: { releaseSeconds: 1 } },
  settings: { dnsCapture: true, enrolExisting: "reset" },
} satisfies AgentOptions;

const places = (hosts: readonly LabHost[]): Place[] =>
  FAMILIES.flatMap((family) => hosts.map((host) => ({ host: host.address(family), port: PORT })));

/** Questions one after the other, each for itself, until told to stop; what was not answered by the proxy. */
async function ask({ lab }: LoadedNode, signal: AbortSignal): Promise<{ asked: number; unanswered: unknown[] }> {
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

/** Everything that goes on meanwhile. */
export class Traffic {
  readonly #node: LoadedNode;
  readonly #stop = new AbortController();
  readonly #streams: [Endpoint, { handle: number }][] = [];
  readonly #escapes: ServerEscapes;
  readonly #loads: Promise<LoadResult[]>[];
  readonly #questions: ReturnType<typeof ask>;

  private constructor(node: LoadedNode, escapes: ServerEscapes) {
    this.#node = node;
    this.#escapes = escapes;
    this.#loads = [
      load(node.lab.pod("m1"), node.outbound(), Math.ceil(RATE * 0.8), this.#stop.signal),
      load(node.caller, node.inbound(), Math.ceil(RATE * 0.2), this.#stop.signal),
    ];
    this.#questions = ask(node, this.#stop.signal);
  }

  static async start(node: LoadedNode): Promise<Traffic> {
    const { members, worlds } = node;
    const traffic = new Traffic(node, await ServerEscapes.start({ node: node.node, members, worlds }));
    await traffic.openStreams();
    return traffic;
  }

  /** A quarter of them that m1 opens, and a quarter that are opened to it. */
  async openStreams(): Promise<void> {
    const count = Math.ceil(STREAMS / 4);
    for (const [host, targets] of this.#node.directions) {
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
    if (failures.length + broken.length > 0)
      console.log("how the proxy's connections ended", this.#node.proxy.troubles());
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
