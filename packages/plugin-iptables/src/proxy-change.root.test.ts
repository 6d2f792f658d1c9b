import { existsSync } from "node:fs";
import { compareSnapshots, Lab, type LabNode, snapshot } from "@millrace/conformance";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

// Dozens of programs are run for each: long on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let lab: Lab;
let node: LabNode;

beforeAll(async () => {
  lab = await Lab.create({ nodes: [{ pods: ["m1", "m2"], proxies: ["z1", "z2"] }] });
  node = lab.node(1);
});
afterAll(() => lab?.[Symbol.asyncDispose]());

test("another proxy touches only what is the proxies'", async () => {
  await using driver = await Driver.open(node);
  const [z1, z2] = await Promise.all([proxyOf(lab.pod("z1")), proxyOf(lab.pod("z2"))]);
  await driver.useProxies({ active: z1, draining: [] });
  for (const name of ["m1", "m2"]) await driver.apply(await workloadOf(lab.pod(name)));

  const before = await snapshot(lab);
  await driver.useProxies({ active: z2, draining: [z1] });
  const draining = await snapshot(lab);
  // Not in the words of nftables, which are the same rules once more, and no notes.
  const changed = compareSnapshots(before, draining).filter((line) => /^n1: (?!nftables|journal)/.test(line));
  const isOfProxies =
    /h-z[12]|:?MILLRACE-|millrace-(?:answered|plain|twin|kept)|millrace-(in|out): .* vxlan|15103|198\.18\.1\.1[23]|2001:2:0:1::[cd]/;
  expect(changed.filter((line) => !isOfProxies.test(line))).toEqual([]);
  // Each chooses its source ports from a half of the range.
  expect(await sourcePorts()).toEqual({ z1: "32768\t46883", z2: "46884\t60999" });
  // The tunnels are the same devices, led elsewhere: nothing that goes through them is lost.
  const indices = (state: typeof before) =>
    [...state.entries()].flatMap(([, lines]) => lines.flatMap((line) => /^(\d+): millrace-/.exec(line)?.[1] ?? []));
  expect(indices(draining).slice(0, 2)).toEqual(indices(before).slice(0, 2));
  expect(await driver.observe()).toMatchObject({
    problems: [],
    proxies: [
      { key: z1.key, role: "draining", problems: [] },
      { key: z2.key, role: "active", problems: [] },
    ],
  });

  await driver.useProxies({ active: z2, draining: [] });
  const left = compareSnapshots(before, await snapshot(lab)).filter((line) => line.startsWith("z1: +"));
  expect(left).toEqual([]);
  await driver.uninstall();
  expect(await sourcePorts()).toEqual({ z1: "32768\t60999", z2: "32768\t60999" });
});

async function sourcePorts(): Promise<Record<string, string>> {
  const of = (name: string) => lab.pod(name).namespace.sysctl("net.ipv4.ip_local_port_range");
  return { z1: await of("z1"), z2: await of("z2") };
}

test("a proxy that cannot be prepared leaves the present one in its place", async () => {
  await using driver = await Driver.open(node);
  const [z1, z2] = await Promise.all([proxyOf(lab.pod("z1")), proxyOf(lab.pod("z2"))]);
  await driver.useProxies({ active: z1, draining: [] });
  const gone = { ...z2, interface: { ...z2.interface, netnsInode: 1 } };
  await expect(driver.useProxies({ active: gone, draining: [] })).rejects.toMatchObject({ code: "ERR_INTERFACE_GONE" });
  const { proxies, problems } = await driver.observe();
  expect(proxies).toMatchObject([{ key: z1.key, role: "active", problems: [] }]);
  expect(problems).toEqual([]);
  const host = { ...z2, interface: { ...z2.interface, netns: node.namespace.path, netnsInode: node.namespace.inode } };
  await expect(driver.useProxies({ active: host, draining: [] })).rejects.toMatchObject({
    code: "ERR_HOST_NETWORK_PROXY",
  });
  await driver.uninstall();
});

test("an interface is one workload's, an address too", async () => {
  await using driver = await Driver.open(node);
  const [m1, m2] = await Promise.all([workloadOf(lab.pod("m1")), workloadOf(lab.pod("m2"))]);
  await driver.apply(m1);
  await expect(driver.apply({ ...m1, uid: "other" })).rejects.toMatchObject({ code: "ERR_INTERFACE_IN_USE" });
  const greedy = { ...m2, addresses: [...m2.addresses, ...m1.addresses] };
  await expect(driver.apply(greedy)).rejects.toMatchObject({ code: "ERR_ADDRESS_IN_USE" });
  const { workloads } = await driver.observe();
  expect(workloads.find(({ uid }) => uid === m2.uid)?.addresses).toEqual([...m2.addresses].sort());
  await driver.remove(m1.uid);
  await driver.apply(greedy);
  await driver.remove("other");
  await driver.remove(m1.uid);
  expect((await driver.observe()).workloads).toMatchObject([{ uid: m2.uid, problems: [] }]);
  await driver.uninstall();
});

test("another flavour takes over, and leaves nothing of the one before", async () => {
  const z1 = lab.pod("z1");
  const proxies = { active: await proxyOf(z1), draining: [] };
  for (const [flavour, other] of [["nft", "legacy"] as const, ["legacy", "nft"] as const]) {
    await using driver = await Driver.open(node, { config: { flavour } });
    await driver.useProxies(proxies);
    expect(await driver.observe()).toMatchObject({ problems: [], proxies: [{ role: "active", problems: [] }] });
    for (const { namespace } of [node, z1]) {
      for (const program of ["iptables", "ip6tables"]) {
        expect(await namespace.runChecked(`${program}-${flavour}-save`, [])).toContain("MILLRACE");
        expect(await namespace.runChecked(`${program}-${other}-save`, [])).not.toContain("MILLRACE");
      }
    }
    if (flavour === "legacy") await driver.uninstall();
  }
});

test("what the machine has forgotten is not adopted from notes", async () => {
  const z2 = lab.pod("z2");
  const cidr = "198.19.77.0/24";
  const exclusions = { outboundPorts: [], outboundCidrs: [cidr], inboundPorts: [], inboundCidrs: [] };
  const rules = () => node.namespace.runChecked("sh", ["-c", "iptables-nft-save; iptables-legacy-save"]);
  {
    await using driver = await Driver.open(node);
    await driver.useProxies({ active: await proxyOf(z2), draining: [] });
    await driver.apply(await workloadOf(lab.pod("m1"), { exclusions }));
    expect(await rules()).toContain(cidr);
  }
  await node.namespace.runChecked("ipset", ["flush"]);
  await node.removePod(z2.name);
  await using driver = await Driver.open(node);
  expect(await driver.observe()).toMatchObject({ problems: [], workloads: [], proxies: [] });
  expect(await rules()).not.toContain(cidr);
  await driver.uninstall();
  expect(existsSync(`${node.paths.journal}/iptables`)).toBe(false);
});
