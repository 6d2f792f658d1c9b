import { FAMILIES, Haproxy, Lab, type LabNode } from "@millrace/conformance";
import type { Proxies, Workload } from "@millrace/core";
import { conntrackEntries, openNetns } from "linux-ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { flavours } from "./commands/iptables-names.ts";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

// Dozens of programs are run for each: long on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const PORT = 8080;
const EBPF = "@millrace/plugin-ebpf";

describe.each(flavours)("iptables-%s beside ebpf", (flavour) => {
  let lab: Lab;
  let node: LabNode;
  let proxy: Haproxy;
  let member: Workload;
  let proxies: Proxies;

  beforeAll(async () => {
    lab = await Lab.create({ nodes: [{ pods: ["m1"], proxies: ["z1"] }], externals: ["ext"] });
    node = lab.node(1);
    proxy = await Haproxy.start(lab.pod("z1"), { directory: node.paths.root });
    member = await workloadOf(lab.pod("m1"));
    proxies = { active: await proxyOf(lab.pod("z1")), draining: [] };
    for (const host of [lab.pod("m1"), lab.external("ext")]) await (await host.endpoint()).listen(PORT);
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());
  let since = 0;
  beforeEach(() => {
    since = proxy.mark();
  });

  async function install(driver: Driver): Promise<void> {
    await driver.useNode({ addresses: Object.values(node.addresses) });
    await driver.useProxies(proxies);
    await driver.apply(member);
  }

  /** Both directions, both families: the proxy sees each connection once. */
  async function expectCaptured(): Promise<void> {
    const [m1, ext] = [lab.pod("m1"), lab.external("ext")];
    for (const family of FAMILIES) {
      for (const [from, to] of [[m1, ext] as const, [ext, m1] as const]) {
        const before = proxy.mark();
        const endpoint = await from.endpoint();
        const outcome = await endpoint.ask("report", { host: to.address(family), port: PORT, timeoutMs: 10_000 });
        expect(outcome).toMatchObject({ ok: true, value: { peer: from.address(family) } });
        const frontend = from === m1 ? "outbound" : "inbound";
        const seen = await proxy.awaitRecords({ frontend, source: from.address(family) }, before);
        expect(seen).toHaveLength(1);
      }
    }
  }

  const healthy = { problems: [], workloads: [{ problems: [] }], proxies: [{ role: "active", problems: [] }] };

  test("a live switch there and back: each is whole while the other comes and goes", async () => {
    await using iptables = await Driver.open(node, { config: { flavour } });
    await install(iptables);
    await expectCaptured();

    await using ebpf = await Driver.open(node, { plugin: EBPF });
    await install(ebpf);
    expect(await iptables.observe()).toMatchObject(healthy);
    expect(await ebpf.observe()).toMatchObject(healthy);
    await expectCaptured();

    await iptables.uninstall();
    expect(await ebpf.observe()).toMatchObject(healthy);
    await expectCaptured();

    await using back = await Driver.open(node, { config: { flavour } });
    await install(back);
    await ebpf.uninstall();
    expect(await back.observe()).toMatchObject(healthy);
    await expectCaptured();

    await back.uninstall();
    expect(proxy.since(since).length).toBe(16);
  });

  test("what conntrack took up by the server's packet, before iptables has its rules, goes on", async () => {
    await using ebpf = await Driver.open(node, { plugin: EBPF });
    await install(ebpf);
    const [m1, ext] = [await lab.pod("m1").endpoint(), lab.external("ext")];
    const handles = await Promise.all(
      FAMILIES.map(async (family) => {
        const opened = await m1.ask("open", { host: ext.address(family), port: PORT });
        if (!opened.ok) throw new Error(`not opened: ${opened.failure}`);
        return opened.value.handle;
      }),
    );
    const exchange = () => Promise.all(handles.map((handle) => m1.ask("exchange", { handle, rounds: 3 })));
    const expectOpen = async (when: string) =>
      expect(await exchange(), when).toMatchObject([{ ok: true }, { ok: true }]);

    using netns = openNetns(node.namespace.path);
    const tracked = () =>
      FAMILIES.flatMap((family) => conntrackEntries(netns.fd, { family })).map(({ original }) => original);
    // Of others, that were open earlier.
    const before = new Set(tracked().map((tuple) => JSON.stringify(tuple)));
    // Conntrack begins between a packet of the proxy's and the server's answer to it: made as long as an exchange lasts.
    await node.namespace.runChecked("nft", ["-f", "-"], {
      input: `table inet theirs {
        chain forward { type filter hook forward priority 0; ct state new counter; }
        chain prerouting { type filter hook prerouting priority -300; iifname "${lab.pod("z1").hostInterface}" notrack; }
      }`,
    });
    await expectOpen("conntrack begins");
    const taken = tracked().filter((tuple) => !before.has(JSON.stringify(tuple)));
    expect(taken).toEqual(
      FAMILIES.map((family) => expect.objectContaining({ source: ext.address(family), sourcePort: PORT })),
    );
    await node.namespace.runChecked("nft", ["flush", "chain", "inet", "theirs", "prerouting"]);

    await using iptables = await Driver.open(node, { config: { flavour } });
    await iptables.useNode({ addresses: Object.values(node.addresses) });
    await iptables.useProxies(proxies);
    await expectOpen("iptables has the proxies");
    await iptables.apply({ ...member, enrolExisting: "reset" });
    await expectOpen("iptables has the member");
    await iptables.uninstall();
    await expectOpen("iptables is gone");
    for (const handle of handles) await m1.ask("close", { handle });
    await ebpf.uninstall();
    await node.namespace.runChecked("nft", ["delete", "table", "inet", "theirs"]);
  });
});
