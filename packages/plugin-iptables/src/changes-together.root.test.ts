import { Lab, type LabNode } from "@millrace/conformance";
import type { Workload } from "@millrace/core";
import type { Ask } from "@millrace/host/testing";
import { expect, test, vi } from "vitest";
import { flavours } from "./commands/iptables-names.ts";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";
import { NotedPrograms } from "./testing/noted-programs.ts";

// Dozens of programs are run for each: long on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

const exclusions = {
  outboundPorts: [3306],
  outboundCidrs: ["198.19.200.0/24"],
  inboundPorts: [9100],
  inboundCidrs: ["2001:2:0:c8::/64"],
};

const apply = (workload: Workload): Ask => ({ verb: "apply", argument: workload });
const remove = ({ uid }: { readonly uid: string }): Ask => ({ verb: "remove", argument: uid });

async function opened(lab: Lab, options: Parameters<typeof Driver.open>[1] = {}): Promise<Driver> {
  const driver = await Driver.open(lab.node(1), options);
  await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  return driver;
}

/** What members have in the kernel, in an order of its own, without the seconds that those who settle have left. */
async function stateOf({ namespace }: LabNode): Promise<string[]> {
  const commands = ["ipset save", "ip route show table all", "ip -6 route show table all", "iptables-nft-save"];
  const text = await namespace.runChecked("sh", ["-c", commands.join("; ")]);
  const lines = text.split("\n").filter((line) => !/^[#:]/.test(line));
  return lines.map((line) => line.replace(/ timeout \d+|initval 0x\w+/g, "")).sort();
}

/** The pod makes way for one that has its address, and another interface. */
async function successor(lab: Lab, name: string): Promise<Workload> {
  const node = lab.node(1);
  const { index } = lab.pod(name);
  await node.removePod(name);
  return workloadOf(await node.addPod({ name: `${name}b`, index }), { dnsCapture: true });
}

test.each(flavours)("as many programs of iptables-%s are started for many that leave as for two", async (flavour) => {
  const names = ["m1", "m2", "m3", "m4", "m5", "m6"];
  await using lab = await Lab.create({ nodes: [{ pods: names, proxies: ["z1"] }] });
  using programs = new NotedPrograms();
  await using driver = await opened(lab, { config: { flavour }, wrap: programs.wrap });
  // Networks are in the rules: those are written once, too.
  const members = await Promise.all(names.map((name) => workloadOf(lab.pod(name), { exclusions, dnsCapture: true })));
  const startedFor = async (asks: readonly Ask[]): Promise<string[]> => {
    programs.started();
    expect(await driver.together(asks)).toEqual(asks.map(() => null));
    return programs.started();
  };

  const two = members.slice(0, 2);
  const coming = await startedFor(two.map(apply));
  const leaving = await startedFor(two.map(remove));
  expect(leaving.filter((line) => line === "ipset restore -exist")).toHaveLength(2);
  expect(leaving.filter((line) => line.includes("tables") && line.includes("-restore"))).toHaveLength(2);
  expect(await startedFor(members.map(apply))).toEqual(coming);
  expect(await startedFor(members.map(remove))).toEqual(leaving);
  expect(await driver.observe()).toMatchObject({ problems: [], workloads: [] });

  // Who leaves among those who come.
  await driver.together(two.map(apply));
  const [m1, m2, ...others] = members.map((workload, index) => (index < 2 ? remove(workload) : apply(workload)));
  const mixed = await startedFor([...others.slice(0, 2), m1, m2, ...others.slice(2)] as Ask[]);
  expect(mixed.filter((line) => line === "ipset save")).toEqual(leaving.filter((line) => line === "ipset save"));
  expect(mixed.filter((line) => line === "ipset restore -exist")).toHaveLength(1);
  expect(await driver.observe()).toMatchObject({
    problems: [],
    workloads: members.slice(2).map(() => ({ problems: [] })),
  });
  await driver.uninstall();
});

test("an address that passes, with others asked for at the same time, from one that leaves to one that comes", async () => {
  await using lab = await Lab.create({ nodes: [{ pods: ["m1", "m2", "m3"], proxies: ["z1"] }] });
  const node = lab.node(1);
  await using driver = await opened(lab);
  const [m1, m2, m3] = await Promise.all([
    workloadOf(lab.pod("m1"), { exclusions, dnsCapture: true }),
    workloadOf(lab.pod("m2"), { exclusions, dnsCapture: true }),
    workloadOf(lab.pod("m3")),
  ]);
  await driver.together([m1, m2, m3].map(apply));
  const [heir1, heir2] = [await successor(lab, "m1"), await successor(lab, "m2")];
  expect([heir1.addresses, heir2.addresses]).toEqual([m1.addresses, m2.addresses]);
  expect(heir1.interface.hostName).not.toBe(m1.interface.hostName);

  // Whoever asked first.
  const asks = [remove(m1), apply(heir1), apply(heir2), remove(m2)];
  expect(await driver.together(asks)).toEqual(asks.map(() => null));
  const { problems, workloads } = await driver.observe();
  expect(problems).toEqual([]);
  expect(workloads.map(({ uid, problems: its }) => [uid, its])).toEqual(
    [m3.uid, heir1.uid, heir2.uid].sort().map((uid) => [uid, []]),
  );
  const together = await stateOf(node);
  expect(together.filter((line) => line.includes(`"${m1.uid} `) || line.includes(`"${m2.uid} `))).toEqual([]);

  // As if one had come after the other.
  for (const { uid } of [heir1, heir2]) await driver.remove(uid);
  for (const heir of [heir1, heir2]) await driver.apply(heir);
  expect(await stateOf(node)).toEqual(together);
  await driver.uninstall();
});

test("an interface that passes from one that leaves to one that comes, which excludes less", async () => {
  await using lab = await Lab.create({ nodes: [{ pods: ["m1"], proxies: ["z1"] }] });
  const node = lab.node(1);
  await using driver = await opened(lab);
  const former = await workloadOf(lab.pod("m1"), { exclusions, dnsCapture: true });
  const heir = { ...(await workloadOf(lab.pod("m1"), { enrolExisting: "reset" })), uid: "heir" };
  await driver.apply(heir);
  const wanted = await stateOf(node);
  await driver.remove(heir.uid);
  await driver.apply(former);
  expect(await driver.together([remove(former), apply(heir)])).toEqual([null, null]);
  expect(await stateOf(node)).toEqual(wanted);
  await driver.uninstall();
});

test("an address of an interface that is gone keeps its routes when another one gets it, and no removal takes them away", async () => {
  await using lab = await Lab.create({ nodes: [{ pods: ["m1"], proxies: ["z1"] }] });
  await using driver = await opened(lab);
  const former = await workloadOf(lab.pod("m1"));
  await driver.apply(former);
  const heir = await successor(lab, "m1");
  await driver.apply(heir);
  const ofHeir = async () => (await driver.observe()).workloads.filter(({ uid }) => uid === heir.uid);
  expect(await ofHeir()).toMatchObject([{ problems: [] }]);
  await driver.remove(former.uid);
  expect(await ofHeir()).toMatchObject([{ problems: [] }]);
  await driver.uninstall();
});

test("of one workload the last wish is done, and everybody hears what became of it", async () => {
  await using lab = await Lab.create({ nodes: [{ pods: ["m1", "m2"], proxies: ["z1"] }] });
  await using driver = await opened(lab);
  const [m1, m2] = await Promise.all([workloadOf(lab.pod("m1")), workloadOf(lab.pod("m2"))]);
  const gone = { ...m1, uid: "gone", interface: { ...m1.interface, netns: "/run/netns/absent" } };
  const asks = [apply(m1), remove(m2), remove(m1), apply(m2), remove(gone), apply(gone)];
  const refused = expect.objectContaining({ code: "ERR_INTERFACE_GONE" });
  expect(await driver.together(asks)).toEqual([null, null, null, null, refused, refused]);
  const { problems, workloads } = await driver.observe();
  expect(problems).toEqual([]);
  expect(new Map(workloads.map(({ uid, state }) => [uid, state]))).toEqual(
    new Map([
      ["gone", "partial"],
      [m2.uid, "complete"],
    ]),
  );
  await driver.uninstall();
});

test("a removal that is refused fails for nobody else", async () => {
  await using lab = await Lab.create({ nodes: [{ pods: ["m1", "m2", "m3"], proxies: ["z1"] }] });
  using programs = new NotedPrograms();
  await using driver = await opened(lab, { wrap: programs.wrap });
  const [m1, m2, m3] = await Promise.all([
    workloadOf(lab.pod("m1")),
    workloadOf(lab.pod("m2")),
    workloadOf(lab.pod("m3")),
  ]);
  await driver.together([apply(m1), apply(m2)]);
  programs.refuse(`del millrace-from4 ${m2.addresses[0]},`);
  const refused = { code: "ERR_COMMAND_FAILED", message: expect.stringContaining("as the test wants it") };
  expect(await driver.together([remove(m1), remove(m2), apply(m3)])).toEqual([
    null,
    expect.objectContaining(refused),
    null,
  ]);
  const { workloads } = await driver.observe();
  expect(workloads.map(({ uid }) => uid)).toEqual([m2.uid, m3.uid].sort());
});
