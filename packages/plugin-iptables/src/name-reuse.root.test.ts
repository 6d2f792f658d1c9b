import { Lab, type LabNode } from "@millrace/conformance";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

// Dozens of programs are run for each: long on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let lab: Lab;
let node: LabNode;

beforeEach(async () => {
  lab = await Lab.create({ nodes: [{ pods: ["m1", "m2"], proxies: ["z1", "z2"] }] });
  node = lab.node(1);
});
afterEach(() => lab?.[Symbol.asyncDispose]());

const print = (...commands: string[]) => node.namespace.runChecked("sh", ["-c", commands.join("; ")]);
/** All that names the proxy's interface, in rules of either flavour and of routing. */
const ofProxy = async (): Promise<string[]> => {
  const text = await print("iptables-nft-save", "iptables-legacy-save", "ip rule", "ip -6 rule");
  return text.split("\n").filter((line) => line.includes("h-z1") && !line.includes("detached"));
};
const sets = () => print("ipset save");

/** The proxy's pod goes, and a plain pod's interface gets the name of its own. */
async function replaceProxy(): Promise<void> {
  await node.removePod("z1");
  await node.addPod("z1");
}

test("another pod's interface gets a dead proxy's name: told, and no rule takes it for the proxy once the proxies are chosen", async () => {
  await using driver = await Driver.open(node);
  await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  expect(await ofProxy()).not.toEqual([]);
  await replaceProxy();
  const { problems, proxies } = await driver.observe();
  expect(problems).toContain("IPv4 rules are others than wanted");
  expect(proxies).toMatchObject([{ problems: expect.arrayContaining(["interface h-z1 is gone"]) }]);
  await driver.useProxies({ draining: [] });
  expect(await ofProxy()).toEqual([]);
  expect(await driver.observe()).toMatchObject({ problems: [], proxies: [] });
  await driver.uninstall();
});

test("its sysctls are the new interface's own, and nobody's to put back", async () => {
  await using driver = await Driver.open(node);
  await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  await replaceProxy();
  await node.namespace.setSysctls({ "net.ipv4.conf.h-z1.accept_local": 1, "net.ipv4.conf.h-z1.rp_filter": 2 });
  await driver.useProxies({ active: await proxyOf(lab.pod("z2")), draining: [] });
  await driver.uninstall();
  const values = await print("cat /proc/sys/net/ipv4/conf/h-z1/accept_local /proc/sys/net/ipv4/conf/h-z1/rp_filter");
  expect(values.trim().split("\n")).toEqual(["1", "2"]);
});

test("the pod that has the name is redirected like any other, although nobody has chosen the proxies since", async () => {
  await using driver = await Driver.open(node);
  await driver.useProxies({ active: await proxyOf(lab.pod("z2")), draining: [await proxyOf(lab.pod("z1"))] });
  await replaceProxy();
  await driver.apply(await workloadOf(lab.pod("z1")));
  expect(await ofProxy()).toEqual([]);
  expect(await driver.observe()).toMatchObject({
    problems: [],
    proxies: [{ role: "active", problems: [] }],
    workloads: [{ problems: [] }],
  });
  await driver.uninstall();
});

test("the name changed hands while no agent ran: the next one keeps no rule for it", async () => {
  {
    await using driver = await Driver.open(node);
    await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  }
  await replaceProxy();
  await using driver = await Driver.open(node);
  expect(await ofProxy()).toEqual([]);
  expect(await driver.observe()).toMatchObject({ problems: [], proxies: [] });
  await driver.uninstall();
});

test("the new pod is the proxy again: the same name, another interface", async () => {
  await using driver = await Driver.open(node);
  await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  await replaceProxy();
  const again = await proxyOf(lab.pod("z1"));
  await driver.useProxies({ active: again, draining: [] });
  expect(await driver.observe()).toMatchObject({
    problems: [],
    proxies: [{ key: again.key, role: "active", problems: [] }],
  });
  await driver.uninstall();
});

const exclusions = {
  outboundPorts: [3306],
  outboundCidrs: ["198.19.200.0/24"],
  inboundPorts: [9100],
  inboundCidrs: ["2001:2:0:c8::/64"],
};

test("another pod gets a member's address and its interface's name: nothing of the member holds for it", async () => {
  await using driver = await Driver.open(node);
  await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  const old = await workloadOf(lab.pod("m1"), { exclusions, dnsCapture: true });
  await driver.apply(old);
  await node.removePod("m1");
  const { index } = lab.pod("m2");
  await node.removePod("m2");
  const fresh = await workloadOf(await node.addPod({ name: "m1", index: index - 1 }), { enrolExisting: "reset" });
  expect(fresh).toMatchObject({ addresses: old.addresses, interface: { hostName: old.interface.hostName } });
  const { workloads } = await driver.observe();
  const gone = `interface ${old.interface.hostIndex} is gone`;
  expect(workloads).toMatchObject([{ uid: old.uid, problems: expect.arrayContaining([gone]) }]);

  // Whoever is applied: what is left of interfaces that are gone goes.
  await driver.apply({ ...fresh, uid: "fresh" });
  const saved = await sets();
  expect(saved).not.toContain(`"${old.uid} `);
  expect(saved).not.toMatch(/add millrace-(xout|xin|dns|settling|net)/);
  expect(await print("iptables-nft-save", "ip6tables-nft-save")).not.toMatch(/198\.19\.200|2001:2:0:c8:/);
  expect(await driver.observe()).toMatchObject({
    workloads: expect.arrayContaining([expect.objectContaining({ uid: "fresh", problems: [] })]),
  });
  await driver.uninstall();
});

test("the same while no agent runs", async () => {
  {
    await using driver = await Driver.open(node);
    await driver.apply(await workloadOf(lab.pod("m1"), { exclusions, dnsCapture: true }));
  }
  const { index } = lab.pod("m1");
  await node.removePod("m1");
  await node.addPod({ name: "m1", index });
  await using driver = await Driver.open(node);
  expect(await sets()).not.toMatch(/^add .* comment /m);
  expect(await driver.observe()).toMatchObject({ problems: [], workloads: [] });
  await driver.uninstall();
});

test("an address that its holder gives up: nothing the holder excluded of it holds for the next one", async () => {
  await using driver = await Driver.open(node);
  await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  const holder = await workloadOf(lab.pod("m1"), { exclusions, dnsCapture: true });
  const next = await workloadOf(lab.pod("m2"), { enrolExisting: "reset" });
  const [shared = ""] = holder.addresses;
  const greedy = { ...next, addresses: [...next.addresses, shared] };
  await driver.apply(holder);
  await expect(driver.apply(greedy)).rejects.toMatchObject({ code: "ERR_ADDRESS_IN_USE" });
  const entries = async () => (await sets()).split("\n").filter((line) => line.includes(` ${shared}`));
  expect((await entries()).every((line) => line.includes(`"${holder.uid} `))).toBe(true);

  await driver.apply({ ...holder, addresses: holder.addresses.slice(1) });
  expect(await entries()).toEqual([]);
  await driver.apply(greedy);
  expect((await entries()).map((line) => line.split(" ")[1]).sort()).toEqual(["millrace-from4", "millrace-to4"]);
  await driver.uninstall();
});
