import { countPackets, Lab, type LabHost, type LabNode, type LabPod } from "@millrace/conformance";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { flavours } from "./commands/iptables-names.ts";
import { FAMILIES } from "./layout.ts";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

// Dozens of programs are run for each: long on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const TIMEOUT_MS = 300;

let lab: Lab;
let node: LabNode;
let m1: LabPod;
let ext: LabHost;

beforeAll(async () => {
  lab = await Lab.create({ nodes: [{ pods: ["m1"], proxies: ["z1", "z2"] }], externals: ["ext"] });
  node = lab.node(1);
  m1 = lab.pod("m1");
  ext = lab.external("ext");
});
afterAll(() => lab?.[Symbol.asyncDispose]());

describe.each(flavours)("iptables-%s", (flavour) => {
  test("a member's first packet in its tunnel leaves by a proxy's interface or not at all", async () => {
    await using driver = await Driver.open(node, { config: { flavour } });
    const z1 = lab.pod("z1");
    await driver.useProxies({ active: await proxyOf(z1), draining: [] });
    await driver.apply(await workloadOf(m1));
    const route = `${z1.address(4)}/32 dev ${z1.hostInterface} scope link`;
    await node.namespace.ip(`route del ${route}`);
    try {
      // What the tunnel carries for the node itself (the stack's multicast) has no mark, and tells nothing of a member.
      const members = 'oifname "eth0" meta l4proto udp meta mark & 0x7f != 0';
      await using astray = await countPackets(node.namespace, members, "postrouting");
      const client = await m1.endpoint();
      for (const family of FAMILIES) {
        const outcome = await client.ask("report", { host: ext.address(family), port: 8080, timeoutMs: TIMEOUT_MS });
        expect(outcome.ok).toBe(false);
      }
      expect(await astray.count()).toBe(0);
      expect((await driver.observe()).counters["filter.output.dropped"]).toBeGreaterThan(0);
    } finally {
      await node.namespace.ip(`route add ${route}`);
    }
    await driver.uninstall();
  });

  test("a captured question that nobody has translated goes nowhere", async () => {
    await using driver = await Driver.open(node, { config: { flavour } });
    await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
    await driver.apply(await workloadOf(m1, { dnsCapture: true }));
    for (const program of ["iptables", "ip6tables"]) {
      await node.namespace.runChecked(`${program}-${flavour}`, ["-w", "10", "-t", "nat", "-F", "MILLRACE-PRE"]);
    }
    await using past = await countPackets(node.namespace, 'oifname "eth0" th dport 53', "postrouting");
    const client = await m1.endpoint();
    for (const family of FAMILIES) {
      const server = { host: ext.address(family), port: 53 };
      await client.ask("askDns", { servers: [server], name: "who", timeoutMs: TIMEOUT_MS });
      await client.ask("askDnsByTcp", { ...server, name: "who", timeoutMs: TIMEOUT_MS });
    }
    expect(await past.count()).toBe(0);
    await driver.uninstall();
  });
});

/** What conntrack holds from port 1000, each as `17 53` (protocol and port), with its mark. */
async function connections(): Promise<string[]> {
  const listed = await Promise.all(
    ["ipv4", "ipv6"].map((family) => node.namespace.runChecked("conntrack", ["-L", "-f", family])),
  );
  return listed
    .flatMap((text) => text.split("\n"))
    .filter((line) => line.includes(" sport=1000 "))
    .map((line) =>
      line.replace(/^\w+\s+(\d+) .*? src=(\S+) dst=\S+ sport=1000 dport=(\d+) .* mark=(\d+) .*$/, "$2 $1 $3 mark $4"),
    )
    .sort();
}

const remember = (source: string, to: string, protocol: string, port: number, more: string): Promise<string> => {
  const tuple = `-I -p ${protocol} -s ${source} -d ${to} --sport 1000 --dport ${port} -t 600 ${more}`;
  return node.namespace.runChecked("conntrack", tuple.split(" "));
};

test.each(FAMILIES)("IPv%i: nobody keeps asking a former proxy from the same port", async (family) => {
  await using driver = await Driver.open(node);
  const [z1, z2] = [lab.pod("z1"), lab.pod("z2")];
  const [member, server, other] = [m1.address(family), ext.address(family), node.address(family)];
  const translated = (to: LabPod, source: string) =>
    `--reply-src ${to.address(family)} --reply-dst ${source} --reply-port-src 15053 --reply-port-dst 1000`;
  await driver.useProxies({ active: await proxyOf(z1), draining: [] });

  await remember(member, server, "udp", 53, "");
  await remember(member, server, "udp", 54, "");
  await remember(other, server, "udp", 53, "");
  await driver.apply(await workloadOf(m1, { dnsCapture: true }));
  const others = [`${member} 17 54 mark 0`, `${other} 17 53 mark 0`].sort();
  expect(await connections()).toEqual(others);

  await remember(member, server, "udp", 53, translated(z1, member));
  await driver.useProxies({ active: await proxyOf(z1), draining: [] });
  expect(await connections()).toEqual([...others, `${member} 17 53 mark 0`].sort());
  await driver.useProxies({ active: await proxyOf(z2), draining: [await proxyOf(z1)] });
  expect(await connections()).toEqual(others);

  await remember(member, server, "udp", 53, translated(z2, member));
  await driver.remove(m1.uid);
  expect(await connections()).toEqual(others);
  await driver.uninstall();
  await node.namespace.runChecked("conntrack", ["-F"]);
});

test("uninstalling takes our bits off connections, and no others", async () => {
  await using driver = await Driver.open(node);
  await remember(m1.address(4), ext.address(4), "tcp", 80, "--state ESTABLISHED --mark 0x101");
  await remember(m1.address(6), ext.address(6), "tcp", 80, "--state ESTABLISHED --mark 0x8");
  await driver.uninstall();
  const wanted = [`${m1.address(4)} 6 80 mark 256`, `${m1.address(6)} 6 80 mark 0`];
  expect(await connections()).toEqual(wanted.sort());
  await node.namespace.runChecked("conntrack", ["-F"]);
});
