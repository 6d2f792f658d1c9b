import { Lab, type LabNode, type LabPod, snapshot } from "@millrace/conformance";
import type { Observation, Proxies, Workload } from "@millrace/core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { flavours } from "./commands/iptables-names.ts";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

// Dozens of programs are run for each: long on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** Somebody does this; `$ipt` and `$ip6t` are the flavour's programs, `$m4` and `$m6` the member's addresses, `$dev` is its veth. */
interface Break {
  readonly what: string;
  readonly command: string;
  /** Where: on the node, or in the proxy's namespace. */
  readonly at?: "proxy";
  /** What it is told as. */
  readonly told: "shared" | "workload" | "proxy";
}

const BREAKS: readonly Break[] = [
  { what: "a rule is deleted", command: "$ipt -t mangle -D MILLRACE-TCP 1", told: "shared" },
  { what: "a rule is put into a chain of ours", command: "$ip6t -t mangle -I MILLRACE-TCP -j ACCEPT", told: "shared" },
  { what: "a chain is flushed", command: "$ipt -t filter -F MILLRACE-GUARD", told: "shared" },
  { what: "a table is flushed", command: "$ip6t -t mangle -F", told: "shared" },
  { what: "a jump is deleted", command: "$ipt -t filter -D FORWARD -j MILLRACE-FWD", told: "shared" },
  { what: "a jump is there twice", command: "$ip6t -t raw -A PREROUTING -j MILLRACE-PRE", told: "shared" },
  {
    what: "a jump is behind another one",
    command: "$ipt -t nat -D PREROUTING 1 && $ipt -t nat -A PREROUTING -j MILLRACE-PRE -m comment --comment x",
    told: "shared",
  },
  { what: "the nftables table is deleted", command: "nft delete table inet millrace", told: "shared" },
  { what: "an IPv4 rule of routing is deleted", command: "ip rule del priority 63", told: "shared" },
  { what: "an IPv6 rule of routing is deleted", command: "ip -6 rule del priority 65", told: "shared" },
  { what: "a rule of routing is doubled", command: "ip rule add priority 61 iif lo goto 75 proto 77", told: "shared" },
  { what: "the outbound table is flushed", command: "ip route flush table 15100", told: "shared" },
  { what: "a proxy's table is flushed", command: "ip -6 route flush table 15102", told: "shared" },
  { what: "the table of a slot nobody has is flushed", command: "ip route flush table 15109", told: "shared" },
  {
    what: "a foreign way is put there",
    command: "ip route add 198.19.9.0/24 dev lo table 15100 proto 77",
    told: "shared",
  },
  { what: "a tunnel is deleted", command: "ip link del millrace-out", told: "shared" },
  { what: "a tunnel is taken down", command: "ip link set millrace-in down", told: "shared" },
  {
    what: "the node's tunnels lead elsewhere",
    command:
      "ip link set millrace-out type vxlan id 1001 remote 198.18.9.9 && ip link set millrace-in type vxlan id 1000 remote 198.18.9.9",
    told: "shared",
  },
  { what: "a tunnel has a smaller MTU", command: "ip link set millrace-in mtu 1400", told: "shared" },
  { what: "a neighbour is deleted", command: "ip neigh del 169.254.77.77 dev millrace-out", told: "shared" },
  { what: "a member's route is deleted", command: "ip route del $m4 table 15101", told: "workload" },
  { what: "the route behind it is deleted", command: "ip -6 route del blackhole $m6 table 15101", told: "workload" },
  { what: "an entry of what it sends is deleted", command: "ipset del millrace-from4 $m4,$dev", told: "workload" },
  { what: "an entry of what it gets is deleted", command: "ipset del millrace-to6 $m6", told: "workload" },
  {
    what: "an entry of its interface is deleted",
    command: "ipset del millrace-iface4-0 0.0.0.0/0,$dev",
    told: "workload",
  },
  { what: "a set of interfaces is in no list", command: "ipset del millrace-iface6 millrace-iface6-0", told: "shared" },
  { what: "an entry of its ports is deleted", command: "ipset del millrace-xout4 $m4,tcp:3306", told: "workload" },
  {
    what: "a network's set is flushed",
    command: "for each in $(ipset list -name | grep millrace-net); do ipset flush $each; done",
    told: "workload",
  },
  { what: "a set is flushed", command: "ipset flush millrace-dns4", told: "workload" },
  {
    what: "a sysctl of the proxy's interface is put back",
    command: "sysctl -qw net.ipv4.conf.h-z1.accept_local=0",
    told: "proxy",
  },
  { what: "a rule is deleted", command: "$ipt -t mangle -D MILLRACE-TCP 3", at: "proxy", told: "proxy" },
  { what: "a jump is deleted", command: "$ip6t -t mangle -D PREROUTING 1", at: "proxy", told: "proxy" },
  { what: "a tunnel is deleted", command: "ip link del millrace-in", at: "proxy", told: "proxy" },
  {
    what: "a tunnel leads elsewhere",
    command: "ip link set millrace-in type vxlan id 1000 remote 198.18.9.9",
    at: "proxy",
    told: "proxy",
  },
  { what: "a tunnel loses its address", command: "ip addr flush dev millrace-out", at: "proxy", told: "proxy" },
  { what: "a rule of routing is deleted", command: "ip rule del priority 20010", at: "proxy", told: "proxy" },
  { what: "the local route is deleted", command: "ip -6 route flush table 15002", at: "proxy", told: "proxy" },
  { what: "a sysctl is changed", command: "sysctl -qw net.ipv4.conf.eth0.forwarding=1", at: "proxy", told: "proxy" },
];

describe.each(flavours)("iptables-%s: what is found and mended when", (flavour) => {
  let lab: Lab;
  let node: LabNode;
  let z1: LabPod;
  let driver: Driver;
  let member: Workload;
  let proxies: Proxies;
  let installed: string[];

  beforeAll(async () => {
    lab = await Lab.create({ nodes: [{ pods: ["m1"], proxies: ["z1"] }] });
    node = lab.node(1);
    z1 = lab.pod("z1");
    await z1.namespace.setSysctls({ "net.ipv4.ip_forward": 1 });
    // Geneve is not in every kernel, and one break is in the words of VXLAN.
    driver = await Driver.open(node, { config: { flavour, tunnel: "vxlan" } });
    const exclusions = { outboundPorts: [3306], outboundCidrs: ["198.19.77.0/24"], inboundPorts: [], inboundCidrs: [] };
    member = await workloadOf(lab.pod("m1"), { dnsCapture: true, exclusions });
    proxies = { active: await proxyOf(z1), draining: [] };
    await driver.useProxies(proxies);
    await driver.apply(member);
    installed = await state(lab);
  });
  afterAll(async () => {
    await driver?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  test.each(BREAKS)("$what ($told)", async ({ command, at, told }) => {
    const [m4, m6] = lab.pod("m1").address(4) && [lab.pod("m1").address(4), lab.pod("m1").address(6)];
    const names = `ipt=iptables-${flavour} ip6t=ip6tables-${flavour} m4=${m4} m6=${m6} dev=h-m1`;
    const place = at === "proxy" ? z1.namespace : node.namespace;
    await place.runChecked("sh", ["-c", `${names}; ${command}`]);
    expect(problems(await driver.observe())).toMatchObject({ [told]: [expect.any(String)] });
    await driver.useProxies(proxies);
    await driver.apply(member);
    expect(problems(await driver.observe())).toEqual({ shared: [], workload: [], proxy: [] });
    expect(await state(lab)).toEqual(installed);
  });
});

/** What is made anew has another index and another place among its like; whether rules are in order is for `observe` to tell. */
async function state(lab: Lab): Promise<string[]> {
  const sections = [...(await snapshot(lab))];
  return sections.flatMap(([title, lines]) => lines.map((line) => `${title}: ${line.replace(/^\d+: /, "")}`)).sort();
}

/** The first problem of each place is enough: others may follow from it. */
function problems({ problems, workloads, proxies }: Observation) {
  return {
    shared: problems.slice(0, 1),
    workload: workloads.flatMap((workload) => workload.problems).slice(0, 1),
    proxy: proxies.flatMap((proxy) => proxy.problems).slice(0, 1),
  };
}
