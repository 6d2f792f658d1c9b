import { Lab, type LabNode } from "@millrace/conformance";
import type { RedirectionPlan, WantedRedirection, Workload } from "@millrace/core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

// Dozens of programs are run: long on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let lab: Lab;
let node: LabNode;
let member: Workload;
let wanted: WantedRedirection;

beforeAll(async () => {
  lab = await Lab.create({ nodes: [{ pods: ["m1"], proxies: ["z1"] }] });
  node = lab.node(1);
  member = await workloadOf(lab.pod("m1"), {
    dnsCapture: true,
    exclusions: { outboundPorts: [22], outboundCidrs: ["198.18.0.0/24"], inboundPorts: [], inboundCidrs: [] },
  });
  wanted = {
    node: { addresses: Object.values(node.addresses) },
    proxies: { active: await proxyOf(lab.pod("z1")), draining: [] },
    workloads: [member],
  };
});
afterAll(() => lab?.[Symbol.asyncDispose]());

const show = (script: string): Promise<string> => node.namespace.runChecked("sh", ["-c", script]);
const LOOK =
  "ip -o link; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; ipset save; nft list ruleset";

const kinds = ({ shared }: RedirectionPlan, pattern: RegExp) => shared.filter((line) => pattern.test(line));

test("planning changes nothing, and names what applying then writes", async () => {
  await using driver = Driver.start(node);
  const before = await show(LOOK);
  const plan = await driver.plan(wanted);
  expect(await show(LOOK)).toBe(before);
  expect(plan.refused).toEqual([]);
  const [planned] = plan.workloads;
  expect(planned).toMatchObject({ uid: member.uid });

  await driver.open();
  await driver.useNode(wanted.node);
  await driver.useProxies(wanted.proxies);
  await driver.apply(member);
  const sets = await show("ipset save");
  const added = (planned?.objects ?? []).filter((line) => line.startsWith("ipset add "));
  expect(added.length).toBeGreaterThanOrEqual(10);
  for (const line of added) {
    const [, name, element] = /^ipset add (\S+) (\S+)/.exec(line) ?? [];
    // ipset(8) prints an interval of all addresses and its own order of options.
    expect(sets, line).toContain(`add ${name} ${element}`);
  }
  const rules = await show("ip rule");
  for (const line of kinds(plan, /^IPv4 rule \d+ fwmark/)) {
    const [, priority, mark] = /^IPv4 rule (\d+) fwmark (\S+)/.exec(line) ?? [];
    expect(rules, line).toMatch(new RegExp(`^${priority}:\\tfrom all fwmark ${mark} `, "m"));
  }
  // One line for each rule of a chain of ours, and each chain, as iptables has them by now.
  for (const family of [4, 6] as const) {
    const saved = await show(`${family === 4 ? "iptables" : "ip6tables"}-nft-save`);
    const count = (text: string, pattern: RegExp) => text.split("\n").filter((line) => pattern.test(line)).length;
    const lines = kinds(plan, new RegExp(`^IPv${family} iptables-`)).map((line) => line.replace(/^\S+ \S+ /, ""));
    expect(count(lines.join("\n"), /^:MILLRACE/)).toBe(count(saved, /^:MILLRACE/));
    expect(count(lines.join("\n"), /^-A MILLRACE/)).toBe(count(saved, /^-A MILLRACE/));
  }
  const routes = await show(
    `ip route show table ${/ table (\d+) /.exec(planned?.objects.find((line) => line.startsWith("route ")) ?? "")?.[1]}`,
  );
  expect(routes).toContain(`${lab.pod("m1").addresses[4]} via`);
  expect(kinds(plan, /^link millrace-(out|in) type (geneve|vxlan) dstport \d+$/)).toHaveLength(2);
  await driver.uninstall();
});

test("what would be refused is refused in the plan, by the same codes", async () => {
  await using driver = Driver.start(node);
  const twin = { ...member, uid: "uid-twin", name: "twin" };
  const gone = { ...member, uid: "uid-gone", interface: { ...member.interface, hostIndex: 999_999 } };
  const host = { ...(wanted.proxies.active as NonNullable<typeof wanted.proxies.active>) };
  const plan = await driver.plan({
    ...wanted,
    proxies: { active: { ...host, interface: { ...host.interface, hostName: "h-gone" } }, draining: [] },
    workloads: [member, twin, gone],
  });
  expect(plan.workloads.map(({ refused }) => refused?.code)).toEqual([
    undefined,
    "ERR_INTERFACE_IN_USE",
    "ERR_INTERFACE_GONE",
  ]);
  expect(plan.refused).toMatchObject([{ code: "ERR_INTERFACE_GONE" }]);
  await show("ip rule add priority 63 fwmark 0x1 lookup 4242");
  const clashing = await driver.plan(wanted);
  await show("ip rule del priority 63");
  expect(clashing.refused).toMatchObject([{ code: "ERR_CLASH" }]);
});
