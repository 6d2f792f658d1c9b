import { ScratchNetns } from "linux-ts/testing";
import { expect, test } from "vitest";
import { configSchema } from "../config.ts";
import { isOurChain } from "../layout.ts";
import { type Clash, refuseClashes } from "./clash.ts";
import { findClashes } from "./find-clashes.ts";
import { type Wanted, wantedOf } from "./wanted.ts";

const names = { sets: { "millrace-to4": "hash:ip" }, isOurChain, isOurTable: (name: string) => name === "millrace" };
const WANTED = wantedOf(configSchema.parse({}), names);

async function found(there: ScratchNetns, wanted: Wanted = WANTED): Promise<Clash[]> {
  return findClashes(wanted, { families: [4, 6], netns: there.fd });
}

test("a namespace that nobody has touched has none, nor has one with only ours", async () => {
  using there = new ScratchNetns();
  expect(await found(there)).toEqual([]);
  there.sh(`
    ip link add millrace-out type vxlan id 1001 remote 198.18.0.9 dstport 6081
    ip rule add priority 60 fwmark 0x2/0x7f lookup 15100 protocol 77
    ip route add blackhole default metric 4096 table 15100 proto 77
    ipset create millrace-to4 hash:ip
    iptables-nft -t mangle -N MILLRACE-PRE
    iptables-nft -t mangle -A MILLRACE-PRE -j MARK --set-xmark 0x2/0x7f
    iptables-nft -t raw -N MILLRACE-PRE
    iptables-nft -t raw -A MILLRACE-PRE -j CT --zone-orig 19794
    nft add table ip millrace
    nft add chain ip millrace dns
    nft add rule ip millrace dns meta mark 0x2`);
  expect(await found(there)).toEqual([]);
});

/** The owner, how it sets its things up, and the words that the clash is told in. */
const OWNERS: readonly [owner: RegExp, setting: string, script: string, kind: string, about: RegExp][] = [
  [
    /^Istio ambient of 1\.18/,
    "backends.iptables.marks.mask",
    `iptables-nft -t mangle -N ztunnel-PREROUTING
     iptables-nft -t mangle -A ztunnel-PREROUTING -m mark --mark 0x40/0x40 -j RETURN`,
    "iptables rule",
    /looks at the bits 0x40 of the mark/,
  ],
  [
    /^Istio ambient of 1\.18/,
    "backends.iptables.marks.mask",
    `iptables-legacy -t mangle -N ztunnel-FORWARD
     iptables-legacy -t mangle -A ztunnel-FORWARD -j CONNMARK --save-mark --nfmask 0x200 --ctmask 0x220`,
    "iptables rule",
    /writes the bits 0x220 of the connection mark/,
  ],
  [
    /^Antrea/,
    "backends.iptables.marks.mask",
    `iptables-nft -t nat -N ANTREA-POSTROUTING
     iptables-nft -t nat -A ANTREA-POSTROUTING -m mark --mark 0x1/0xff -j ACCEPT`,
    "iptables rule",
    /0xff/,
  ],
  [
    /^Cilium$/,
    "backends.iptables.marks.mask to bits within 0xf000 if they suffice, or redirectMode to ebpf",
    "ip link add cilium_host type veth peer name cilium_net",
    "BPF programs",
    /behind cilium_host/,
  ],
  [
    /^kube-proxy/,
    "backends.iptables.marks.mask",
    `nft add table ip kube-proxy
     nft add chain ip kube-proxy mark-for-masquerade
     nft add rule ip kube-proxy mark-for-masquerade meta mark set meta mark or 0x40`,
    "nft rule",
    /table ip kube-proxy chain mark-for-masquerade/,
  ],
  [
    /^an owner that is not known \(protocol 4\)$/,
    "backends.iptables.rules.priority",
    "ip rule add priority 65 from 198.18.0.0/16 lookup 4321 protocol 4",
    "ip rule",
    /IPv4 priority 65 \(from 198\.18\.0\.0\/16 lookup 4321\)/,
  ],
  [
    /^an owner that is not known/,
    "backends.iptables.rules.priority",
    "ip -6 rule add priority 75 to 2001:2::/48 unreachable",
    "ip rule",
    /IPv6 priority 75/,
  ],
  [
    /^an owner/,
    "backends.iptables.marks.mask",
    "ip rule add priority 30000 fwmark 0x1/0xff lookup 9999",
    "ip rule",
    /0xff/,
  ],
  [/^an owner/, "backends.iptables.tables.first", "ip rule add priority 30000 lookup 15107", "ip rule", /15107/],
  [
    /^flannel$/,
    "backends.iptables.tables.first",
    `ip link add cni0 type veth peer name x
     ip link set cni0 up
     ip route add 198.18.0.0/16 dev cni0 table 15115`,
    "route",
    /198\.18\.0\.0\/16 dev cni0 in table 15115/,
  ],
  [
    /^an owner/,
    "backends.iptables.links",
    "ip link add millrace-in type veth peer name x",
    "link",
    /millrace-in \(veth\)/,
  ],
  [
    /^an owner/,
    "backends.iptables.links",
    "ip link add millrace-in type vxlan id 5 remote 198.18.0.9 dstport 6081",
    "link",
    /millrace-in \(vxlan\).*VNI 1000/,
  ],
  [
    /^kube-proxy/,
    "backends.iptables.links.gateway4 or gateway6",
    `ip link add kube-dummy-if type veth peer name x
     ip addr add 169.254.77.77/32 dev kube-dummy-if`,
    "address",
    /169\.254\.77\.77 on kube-dummy-if/,
  ],
  [
    /^an owner/,
    "nothing in the configuration: ipset destroy millrace-to4",
    "ipset create millrace-to4 hash:net",
    "ipset",
    /hash:net/,
  ],
  [
    /^Weave Net$/,
    "backends.iptables.conntrackZone",
    `iptables-nft -t raw -N WEAVE-CT
     iptables-nft -t raw -A WEAVE-CT -j CT --zone 19794`,
    "iptables rule",
    /zone 19794/,
  ],
  [
    /^firewalld$/,
    "backends.iptables.conntrackZone",
    `nft add table inet firewalld
     nft add chain inet firewalld c '{ type filter hook prerouting priority raw; }'
     nft add rule inet firewalld c ct zone set 19794`,
    "nft rule",
    /zone 19794/,
  ],
];

test.each(OWNERS)("refuses %s, and names %s", async (owner, setting, script, kind, about) => {
  using there = new ScratchNetns();
  there.sh(script);
  const [clash, ...more] = await found(there);
  expect(more).toEqual([]);
  expect(clash).toMatchObject({ kind, owner: expect.stringMatching(owner), setting });
  expect(`${clash?.where}: ${clash?.effect}`).toMatch(about);
  expect(() => refuseClashes(clash === undefined ? [] : [clash])).toThrow(
    expect.objectContaining({ code: "ERR_CLASH", message: expect.stringContaining(`Change ${setting}`) }),
  );
});

test.each([
  [
    "kube-proxy's and portmap's marks",
    `iptables-nft -t nat -N KUBE-MARK-MASQ
     iptables-nft -t nat -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
     iptables-legacy -N KUBE-FIREWALL
     iptables-legacy -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP
     ip6tables-nft -t nat -N CNI-HOSTPORT-SETMARK
     ip6tables-nft -t nat -A CNI-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000`,
  ],
  [
    "AWS VPC CNI",
    `iptables-nft -t mangle -A PREROUTING -i eni+ -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
     ip rule add priority 512 to 198.18.0.5 lookup main
     ip rule add priority 1024 fwmark 0x80/0x80 lookup main
     ip rule add priority 1536 from 198.18.0.5 lookup 2`,
  ],
  [
    "Calico",
    `iptables-nft -N cali-FORWARD
     iptables-nft -A cali-FORWARD -j MARK --set-xmark 0x0/0xffff0000
     ip rule add priority 99 not fwmark 0x100000/0x100000 lookup 1`,
  ],
  ["a local table that was moved behind 0", "ip rule add priority 20 lookup local; ip rule del priority 0"],
])("lives with %s", async (_, script) => {
  using there = new ScratchNetns();
  there.sh(script);
  expect(await found(there)).toEqual([]);
});

test("whoever uses every bit of a mark is reported, because no mask avoids it", async () => {
  using there = new ScratchNetns();
  there.sh(`
    ip rule add priority 30 fwmark 0x1745ec lookup 7
    iptables-nft -t mangle -N OVN-KUBE-ITP
    iptables-nft -t mangle -A OVN-KUBE-ITP -p tcp -j MARK --set-xmark 0x1745ec
    nft add table inet theirs
    nft add chain inet theirs c
    nft add rule inet theirs c meta mark set 0x1`);
  const clashes = await found(there);
  expect(clashes.map(({ kind, owner, setting }) => [kind, owner, setting])).toEqual([
    ["ip rule", "OVN-Kubernetes (Open vSwitch)", undefined],
    ["iptables rule", "OVN-Kubernetes (Open vSwitch)", undefined],
    ["nft rule", "an owner that is not known", undefined],
  ]);
  expect(() => refuseClashes(clashes)).not.toThrow();
});

test("a rule that is asked before ours is reported", async () => {
  using there = new ScratchNetns();
  there.sh("ip rule add priority 10 iif vlan.eth.1 lookup 101");
  expect(await found(there)).toEqual([
    {
      kind: "ip rule",
      where: "IPv4 priority 10 (from all iif vlan.eth.1 lookup 101)",
      owner: "AWS VPC CNI",
      effect: "it is asked before ours (priority 60) and could send members' packets elsewhere",
      setting: undefined,
    },
  ]);
});

test("a family that the node does not have is not looked at", async () => {
  using there = new ScratchNetns();
  there.sh("ip -6 rule add priority 61 lookup 9999");
  expect(await findClashes(WANTED, { families: [4], netns: there.fd })).toEqual([]);
});

test("many rules of one chain are one clash, and all that is refused is told at once", async () => {
  using there = new ScratchNetns();
  there.sh(`
    iptables-nft -t mangle -N ztunnel-OUTPUT
    for i in 1 2 3 4 5; do iptables-nft -t mangle -A ztunnel-OUTPUT -d 198.18.0.$i -j MARK --set-xmark 0x40/0x40; done
    ip rule add priority 61 lookup 9999`);
  const clashes = await found(there);
  expect(clashes.map(({ kind }) => kind)).toEqual(["ip rule", "iptables rule"]);
  expect(() => refuseClashes(clashes)).toThrow(/priority 61.*rules\.priority.*ztunnel-OUTPUT.*marks\.mask/);
});

test("other settings go round a clash", async () => {
  using there = new ScratchNetns();
  there.sh("ip rule add priority 60 fwmark 0x1/0xff lookup 15100");
  expect((await found(there)).map(({ setting }) => setting)).toEqual([
    "backends.iptables.rules.priority",
    "backends.iptables.tables.first",
    "backends.iptables.marks.mask",
  ]);
  const config = configSchema.parse({ marks: { mask: 0xf0000 }, rules: { priority: 40 }, tables: { first: 16000 } });
  expect(await found(there, wantedOf(config, names))).toEqual([]);
});
