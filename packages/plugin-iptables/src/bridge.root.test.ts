import { Lab, type LabNode } from "@millrace/conformance";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

// Dozens of programs are run for each: long on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let lab: Lab;
let node: LabNode;

beforeEach(async () => {
  lab = await Lab.create({ nodes: [{ pods: ["m1", "p1"], proxies: ["z1"] }], pods: "bridge", bridgeNetfilter: false });
  node = lab.node(1);
});
afterEach(() => lab?.[Symbol.asyncDispose]());

const nft = (...args: string[]) => node.namespace.runChecked("nft", args);
const table = () => nft("list", "table", "bridge", "millrace");
const elements = async (set: string): Promise<string> =>
  /elements = \{([^}]*)\}/.exec(await nft("list", "map", "bridge", "millrace", set))?.[1] ?? "";

async function enrolled(): Promise<Driver> {
  const driver = await Driver.open(node);
  await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  await driver.apply(await workloadOf(lab.pod("m1")));
  expect(await driver.observe()).toMatchObject({ problems: [], workloads: [{ problems: [] }] });
  return driver;
}

test("ports of members and proxies are told, others are not, and nothing is left of them", async () => {
  await using driver = await enrolled();
  const roles = await elements("roles");
  expect(roles).toContain('"h-m1" : goto member');
  expect(roles).toContain('"h-z1" : goto slot-0');
  expect(await table()).not.toContain("h-p1");
  await driver.remove(lab.pod("m1").uid);
  expect(await table()).not.toContain("h-m1");
  await driver.uninstall();
  expect(await nft("list", "tables")).not.toContain("bridge");
});

test("a changed table, a port without its entry and another MAC of the bridge are found, and mended", async () => {
  await using driver = await enrolled();
  const proxies = { active: await proxyOf(lab.pod("z1")), draining: [] };
  const workload = await workloadOf(lab.pod("m1"));
  const breaks: [break_: () => Promise<unknown>, shared: RegExp | undefined, ofMember: RegExp | undefined][] = [
    [() => nft("delete", "table", "bridge", "millrace"), /is missing/, /h-m1 of its bridge is not in/],
    [() => nft("flush", "chain", "bridge", "millrace", "raise"), /differs/, undefined],
    [() => nft("delete", "element", "bridge", "millrace", "roles", '{ "h-m1" }'), undefined, /h-m1 .* another one/],
    [
      () => nft("delete", "element", "bridge", "millrace", "macs", `{ ${workload.interface.mac} }`),
      /add element/,
      undefined,
    ],
    [() => node.namespace.ip("link set cni0 address 02:4d:52:ff:00:77"), /h-z1 .* another one/, /h-m1 .* another one/],
  ];
  for (const [break_, shared, ofMember] of breaks) {
    await break_();
    const { problems, workloads } = await driver.observe();
    if (shared !== undefined) expect(problems.join("\n")).toMatch(shared);
    if (ofMember !== undefined) expect(workloads[0]?.problems.join("\n")).toMatch(ofMember);
    await driver.useProxies(proxies);
    await driver.apply(workload);
    expect(await driver.observe()).toMatchObject({ problems: [], workloads: [{ problems: [] }] });
  }
  expect(await elements("gateways")).toContain("02:4d:52:ff:00:77");
});

test("a member on a bridge that is no gateway is refused as a whole, and told", async () => {
  await using driver = await Driver.open(node);
  await node.namespace.runChecked("ip", ["-6", "addr", "flush", "dev", "cni0", "scope", "global"]);
  const workload = await workloadOf(lab.pod("m1"));
  await expect(driver.apply(workload)).rejects.toMatchObject({
    code: "ERR_BRIDGE",
    message: expect.stringContaining("h-m1 is a port of cni0, which has no IPv6 address of the node"),
  });
  expect(await node.namespace.runChecked("ipset", ["save"])).not.toContain(workload.uid);
  const { workloads } = await driver.observe();
  expect(workloads).toMatchObject([{ state: "partial" }]);
  await driver.uninstall();
});

test("what a member sends with an address that nobody knows as its own does not get past the proxy, which does not listen here", async () => {
  await using driver = await enrolled();
  const [m1, p1] = [lab.pod("m1"), lab.pod("p1")];
  await m1.namespace.ip("addr add 198.18.1.200/24 dev eth0");
  await (await p1.endpoint()).listen(8080);
  const dial = (source: string) =>
    m1.namespace.run("curl", ["-sS", "--max-time", "2", "--interface", source, `http://${p1.address(4)}:8080/`]);
  expect((await dial("198.18.1.200")).stderr).toContain("Connection timed out");
  // The very same once it is a member no longer.
  await driver.remove(m1.uid);
  expect((await dial("198.18.1.200")).stderr).not.toContain("Connection timed out");
  await driver.uninstall();
});
