import type { Redirection, ShadowedWorkload, WantedRedirection } from "@millrace/core";
import { BackendProcess } from "@millrace/host/testing";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Agent } from "../testing/agent.ts";
import { attachments } from "../testing/attachments.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "../testing/node-box.ts";
import { snapshot } from "../testing/snapshot.ts";
import { connect, connectAll, type PodProgram, startEcho, startProxy } from "../testing/traffic.ts";

// Many programs are run: long on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const PORT = 8080;
const EXCLUDED_PORT = 8081;
const OUTBOUND = 3;
const INBOUND = 2;

/** `outbound captured`: connections, by what the shadow says of one workload. */
function connectionsOf(counts: readonly ShadowedWorkload[], uid: string): Record<string, number> {
  const all = counts.find((workload) => workload.uid === uid)?.counts ?? [];
  const sums: Record<string, number> = {};
  for (const { direction, fate, connections } of all) {
    if (connections === 0) continue;
    const key = `${direction} ${fate}`;
    sums[key] = (sums[key] ?? 0) + connections;
  }
  return sums;
}

/** What a shadow writes to: qdiscs, filters, pins. The empty tables that iptables makes are another's matter. */
const places = (box: NodeBox): string[] =>
  snapshot(box).filter((line) => /: qdisc |gress filter |^files: .*\/bpf/.test(line));

describe.each([
  { active: "ebpf", attach: "tcx" },
  { active: "ebpf", attach: "clsact" },
  { active: "iptables", attach: "tcx" },
  { active: "iptables", attach: "clsact" },
] as const)("a shadow by $attach beside $active", ({ active, attach }) => {
  let box: NodeBox;
  let client: BoxPod;
  let server: BoxPod;
  let proxy: PodProgram;
  let echoes: PodProgram[] = [];
  let agent: BackendProcess;
  let shadow: Agent;
  let wanted: WantedRedirection;
  let before: string[];
  const config = { attach, releaseSeconds: 0 };

  beforeAll(async () => {
    box = await NodeBox.create();
    client = box.addPod("client");
    server = box.addPod("server");
    const proxyPod = box.addPod("proxy");
    echoes = [await startEcho(server, PORT), await startEcho(server, EXCLUDED_PORT), await startEcho(client, PORT)];
    proxy = await startProxy(box, proxyPod);
    const exclusions = { outboundPorts: [EXCLUDED_PORT], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] };
    wanted = {
      node: { addresses: ["198.18.1.1", "fe80::1"] },
      proxies: { active: proxyOf(proxyPod), draining: [] },
      workloads: [workloadOf(client, { exclusions })],
    };
    before = places(box);
    agent =
      active === "ebpf"
        ? await Agent.open(box, { config })
        : await new BackendProcess(box.enter, {
            module: "@millrace/plugin-iptables",
            from: import.meta.url,
            config: { releaseSeconds: 0 },
            host: { bpffs: box.bpffs, journal: box.journal },
          }).open();
    shadow = Agent.start(box, { config });
    await shadow.openShadow();
  }, 300_000);
  afterAll(async () => {
    for (const program of [agent, shadow, proxy, ...echoes]) await program?.[Symbol.asyncDispose]();
    box?.[Symbol.dispose]();
  });

  const plain = (text: string) => text.replaceAll("::ffff:", "");
  const records = () =>
    proxy.lines
      .map(plain)
      .filter((line) => /:808[01]$/.test(line))
      .sort();

  async function redirect(to: Pick<Redirection, "useNode" | "useProxies" | "apply">): Promise<void> {
    await to.useNode(wanted.node);
    await to.useProxies(wanted.proxies);
    for (const workload of wanted.workloads) await to.apply(workload);
  }

  /** Both families: what a member opens, what it excludes, what is opened to it. Returns who the servers saw. */
  async function traffic(): Promise<readonly string[]> {
    const families = ["ipv4", "ipv6"] as const;
    const times = (count: number, to: string) => Array.from({ length: count }, () => to);
    const sent = await connectAll(
      client,
      families.flatMap((family) => [
        ...times(OUTBOUND, `${server[family]} ${PORT}`),
        `${server[family]} ${EXCLUDED_PORT}`,
      ]),
    );
    const received = await connectAll(
      server,
      families.flatMap((family) => times(INBOUND, `${client[family]} ${PORT}`)),
    );
    return [...sent, ...received].map(plain);
  }

  /** Who they have to see: the true client. */
  const clients = () => [
    ...[client.ipv4, client.ipv6].flatMap((address) => Array.from({ length: OUTBOUND + 1 }, () => address)),
    ...[server.ipv4, server.ipv6].flatMap((address) => Array.from({ length: INBOUND }, () => address)),
  ];

  /** What the proxy sees of {@link traffic}. */
  const captured = () =>
    (["ipv4", "ipv6"] as const)
      .flatMap((family) => [
        ...Array.from({ length: OUTBOUND }, () => `outbound src=${client[family]} dst=${server[family]}:${PORT}`),
        ...Array.from({ length: INBOUND }, () => `inbound src=${server[family]} dst=${client[family]}:${PORT}`),
      ])
      .sort();

  it("counts what is really sent, and nothing of the traffic changes", async () => {
    await redirect(agent);
    expect(await traffic()).toEqual(clients());
    await expect.poll(records).toEqual(captured());
    await shadow.follow(wanted);
    const observed = await agent.observe();
    expect(observed.workloads).toMatchObject([{ state: "complete", problems: [], foreign: [] }]);
    expect(await traffic()).toEqual(clients());
    await expect.poll(records).toEqual([...captured(), ...captured()].sort());
    const counts = await shadow.counts();
    expect(counts).toMatchObject([{ uid: "uid-client", problems: [] }]);
    expect(connectionsOf(counts, "uid-client")).toEqual({
      "outbound captured": 2 * OUTBOUND,
      "outbound let by": 2,
      // What iptables has led to the proxy comes to the member by the proxy.
      [active === "ebpf" ? "inbound captured" : "inbound delivered"]: 2 * INBOUND,
    });
  });

  it("goes on after the active one was applied anew, and the shadow told again", async () => {
    await agent.remove("uid-client");
    await redirect(agent);
    await shadow.follow(wanted);
    const first = connectionsOf(await shadow.counts(), "uid-client");
    expect(await traffic()).toEqual(clients());
    const second = connectionsOf(await shadow.counts(), "uid-client");
    expect((second["outbound captured"] ?? 0) - (first["outbound captured"] ?? 0)).toBe(2 * OUTBOUND);
  });

  it("counts what nobody captures, once the active one has let go", async () => {
    await agent.remove("uid-client");
    await shadow.openShadow();
    await shadow.follow(wanted);
    await connectAll(server, [`${client.ipv4} ${PORT}`, `${client.ipv6} ${PORT}`]);
    expect(connectionsOf(await shadow.counts(), "uid-client")).toEqual({ "inbound captured": 2 });
  });

  it("would drop without a proxy, and lets by", async () => {
    await shadow.openShadow();
    await shadow.follow({ ...wanted, proxies: { draining: [] } });
    expect(plain(await connect(client, server.ipv6, PORT))).toBe(`<${client.ipv6}>`);
    expect(connectionsOf(await shadow.counts(), "uid-client")).toEqual({ "outbound dropped": 1 });
  });

  it("is found by its names, is adopted by the next, and leaves nothing", async () => {
    await shadow[Symbol.asyncDispose]();
    shadow = Agent.start(box, { config });
    const marks = (await shadow.traces([])).map(({ kind, mark }) => `${kind} ${mark}`);
    const kind = attach === "tcx" ? "tcx link" : "clsact filter";
    expect(marks).toEqual(
      expect.arrayContaining([`${kind} program shadow_outbound`, `${kind} program shadow_inbound`, "pins name"]),
    );
    await shadow.openShadow();
    await shadow.follow({ ...wanted, workloads: [] });
    expect(attachments(box).filter(({ where }) => where.startsWith("node h-client"))).toEqual([]);
    await shadow.follow(wanted);
    await agent.uninstall();
    expect(await shadow.removeShadow()).toContain("shadow of workload uid-client");
    await expect.poll(() => places(box)).toEqual(before);
    expect(await shadow.removeShadow()).toEqual([]);
  });
});
