import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { Lab, type LabNode } from "@millrace/conformance";
import type { NodeProxy } from "@millrace/core";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Driver, proxyOf } from "./testing/driver.ts";

// Dozens of programs are run for each: long on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

// The words of one kind of tunnel stand below.
const config = { tunnel: "vxlan" } as const;

let lab: Lab;
let node: LabNode;
let note: string;
let z1: NodeProxy;
let z2: NodeProxy;

beforeAll(async () => {
  lab = await Lab.create({ nodes: [{ pods: [], proxies: ["z1", "z2"] }] });
  node = lab.node(1);
  note = `${node.paths.journal}/iptables/active/slot.json`;
  [z1, z2] = await Promise.all([proxyOf(lab.pod("z1")), proxyOf(lab.pod("z2"))]);
});
afterAll(() => lab?.[Symbol.asyncDispose]());
/** The first proxy drains in slot 0, the second is active in slot 1. */
beforeEach(async () => {
  await using driver = await Driver.open(node, { config });
  await driver.useProxies({ active: z1, draining: [] });
  await driver.useProxies({ active: z2, draining: [z1] });
});

const remote = async (name: string): Promise<string> => {
  const [device] = JSON.parse(await node.namespace.runChecked("ip", ["-d", "-j", "link", "show", name]));
  return device.linkinfo.info_data.remote;
};
const lead = async (to: NodeProxy): Promise<void> => {
  for (const [name, id] of [
    ["millrace-out", 1001],
    ["millrace-in", 1000],
  ]) {
    await node.namespace.ip(`link set ${name} type vxlan id ${id} remote ${to.addresses[0]}`);
  }
};
const roles = [{ role: "draining" }, { role: "active" }];
const expectSecondActive = async (driver: Driver): Promise<void> => {
  expect(await driver.observe()).toMatchObject({
    problems: [],
    proxies: roles.map((role, index) => ({ ...role, key: [z1, z2][index]?.key, problems: [] })),
  });
  expect([await remote("millrace-out"), await remote("millrace-in")]).toEqual([z2.addresses[0], z2.addresses[0]]);
};

test("the next process is told which proxies it sends to, the active one first", async () => {
  await using driver = await Driver.open(node, { config });
  const used = ({ key, name, interface: podInterface }: NodeProxy, role: string) => ({
    key,
    name,
    role,
    interface: podInterface,
  });
  expect(await driver.usedProxies()).toEqual([used(z2, "active"), used(z1, "draining")]);
  await driver.useProxies({ active: z2, draining: [] });
  expect(await driver.usedProxies()).toEqual([used(z2, "active")]);
});

test("tunnels that somebody leads to another proxy are a problem, and no other proxy is active for it", async () => {
  await using driver = await Driver.open(node, { config });
  await lead(z1);
  const { problems, proxies } = await driver.observe();
  expect(problems).toEqual(
    ["millrace-in", "millrace-out"].map((name) => `tunnel ${name} leads to ${z1.addresses[0]}, not ${z2.addresses[0]}`),
  );
  expect(proxies).toMatchObject(roles);
  await driver.useProxies({ active: z2, draining: [z1] });
  await expectSecondActive(driver);
});

test.each([
  ["led elsewhere", () => lead(z1)],
  ["deleted", () => node.namespace.ip("link del millrace-out", "link del millrace-in")],
])(
  "a crash between noting and switching, and tunnels %s meanwhile: the next process does what was noted",
  async (_, change) => {
    await change();
    await using driver = await Driver.open(node, { config });
    await expectSecondActive(driver);
  },
);

test("a slot that is noted and was never made is none", async () => {
  writeFileSync(note, JSON.stringify({ version: 1, slot: 5 }));
  await using driver = await Driver.open(node, { config });
  const { problems, proxies } = await driver.observe();
  expect(problems).toEqual([]);
  expect(proxies).toMatchObject([{ role: "draining" }, { role: "draining" }]);
  expect(JSON.parse(readFileSync(note, "utf8"))).toEqual({ version: 1, slot: null });
});

test("notes of a version that noted no active slot: the tunnels tell, once", async () => {
  rmSync(note);
  {
    await using driver = await Driver.open(node, { config });
    await expectSecondActive(driver);
  }
  expect(JSON.parse(readFileSync(note, "utf8"))).toEqual({ version: 1, slot: 1 });
});
