import { expect, test } from "vitest";
import { ALL_BITS, type MarkUse, marksOfRule, zoneOfRule } from "./mark-bits.ts";

const read = (kind: MarkUse["kind"], bits: number): MarkUse => ({ kind, access: "read", bits });
const write = (kind: MarkUse["kind"], bits: number): MarkUse => ({ kind, access: "write", bits });

// As printed by iptables-save 1.8.9 on nodes of kube-proxy, portmap, AWS VPC CNI, Istio 1.20 and Calico.
test.each<[string, MarkUse[]]>([
  ["-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP", [read("mark", 0x8000)]],
  ["-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN", [read("mark", 0x4000)]],
  ["-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0", [write("mark", 0x4000)]],
  ["-A CNI-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000", [write("mark", 0x2000)]],
  [
    "-A PREROUTING -i eni+ -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80",
    [write("mark", 0x80), read("connmark", 0x80)],
  ],
  [
    "-A PREROUTING -i eth0 -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80",
    [write("connmark", 0x80)],
  ],
  [
    "-A ztunnel-FORWARD -m mark --mark 0x220/0x220 -j CONNMARK --save-mark --nfmask 0x220 --ctmask 0x220",
    [read("mark", 0x220), read("mark", 0x220), write("connmark", 0x220)],
  ],
  [
    "-A ztunnel-PREROUTING ! -i veth1 -m connmark --mark 0x210/0x210 -j MARK --set-xmark 0x40/0x40",
    [read("connmark", 0x210), write("mark", 0x40)],
  ],
  ["-A ztunnel-OUTPUT -s 198.18.0.1/32 -j MARK --set-xmark 0x220/0xffffffff", [write("mark", ALL_BITS)]],
  ["-A X -m mark --mark 0x539 -j ACCEPT", [read("mark", ALL_BITS)]],
  ["-A X -p tcp -j TPROXY --on-port 15001 --on-ip 0.0.0.0 --tproxy-mark 0x400/0xfff", [write("mark", 0xfff)]],
  ["-A cali-PREROUTING -j MARK --set-xmark 0x0/0xffff0000", [write("mark", 0xffff_0000)]],
  ["-A X -j CONNMARK --save-mark", [read("mark", ALL_BITS), write("connmark", ALL_BITS)]],
  ["-A FORWARD -m comment --comment mark -j ACCEPT", []],
])("%s", (rule, uses) => {
  expect(marksOfRule(rule)).toEqual(uses);
});

test.each<[string, number | undefined]>([
  ["-A PREROUTING -p udp -j CT --zone 1", 1],
  ["-A PREROUTING -i veth0 -j CT --zone-orig 19794", 19794],
  ["-A OUTPUT -j CT --notrack", undefined],
  ["-A OUTPUT -m conntrack --ctstate NEW -j ACCEPT", undefined],
])("the zone of %s", (rule, zone) => {
  expect(zoneOfRule(rule)).toBe(zone);
});
