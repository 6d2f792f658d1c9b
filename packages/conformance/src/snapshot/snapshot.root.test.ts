import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Lab } from "../lab/lab.ts";
import { compareSnapshots, printSnapshot, snapshot } from "./snapshot.ts";

describe("snapshots", () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.create({ nodes: [{ pods: ["a"] }] });
    // That the other end is up reaches addresses and routes later, once a second (net/core/link_watch.c).
    const settled = async () => expect(printSnapshot(await snapshot(lab))).not.toMatch(/ linkdown|LOWERLAYERDOWN/);
    await vi.waitFor(settled, { timeout: 10_000 });
  });
  afterAll(async () => await lab[Symbol.asyncDispose]());

  it("of the same state are the same, whatever traffic there was", async () => {
    const before = await snapshot(lab);
    await lab.pod("a").namespace.runChecked("ping", ["-c", "2", "-i", "0.1", lab.node(1).address(6)]);
    expect(compareSnapshots(before, await snapshot(lab))).toEqual([]);
  });

  const changes: [string, () => Promise<void>, RegExp][] = [
    ["a rule", () => node("rule add priority 7 fwmark 0x1 lookup 100"), /^n1: routes and rules v4: \+ 7:.*lookup 100/],
    [
      "a route in another table",
      () => node("route add local default dev lo table 123"),
      /^n1: routes and rules v4: \+ local default/,
    ],
    ["an address", () => node("addr add 198.18.99.9/32 dev lo"), /^n1: links and addresses: \+ .*198\.18\.99\.9/],
    [
      "a sysctl",
      () => sysctl("net.ipv4.conf.h-a.rp_filter", 2),
      /^n1: sysctls: \+ net\.ipv4\.conf\.h-a\.rp_filter = 2/,
    ],
    [
      "an nftables rule",
      () => nft("table ip t {\n chain c {\n tcp dport 1 drop\n }\n}"),
      /^n1: nftables: \+ .*dport 1 drop/,
    ],
    ["a qdisc", () => command("tc", "qdisc", "add", "dev", "h-a", "clsact"), /^n1: qdiscs: \+ qdisc clsact/],
    [
      "a tc filter",
      () =>
        command(
          "tc",
          "filter",
          "add",
          "dev",
          "h-a",
          "ingress",
          "prio",
          "9",
          "bpf",
          "bytecode",
          "1,6 0 0 0",
          "classid",
          "1:1",
        ),
      /^n1: tc filters: \+ h-a ingress filter .*bytecode/,
    ],
    ["a set", () => command("ipset", "create", "s", "hash:ip"), /^n1: sets: \+ create s hash:ip/],
    [
      "a legacy iptables rule",
      () => command("iptables-legacy", "-A", "INPUT", "-s", "198.18.9.9"),
      /^n1: iptables legacy: \+ -A INPUT/,
    ],
    [
      "an iptables rule in nftables",
      () => command("ip6tables-nft", "-t", "mangle", "-A", "FORWARD", "-p", "tcp", "-j", "ACCEPT"),
      /^n1: ip6tables nft: \+ -A FORWARD -p tcp/,
    ],
    ["a link", () => node("link add v0 type veth peer name v1"), /^n1: links and addresses: \+ .*v0/],
  ];
  const namespace = () => lab.node(1).namespace;
  const node = (line: string) => namespace().ip(line);
  const nft = (script: string) => namespace().nft(script);
  const sysctl = (name: string, value: number) => namespace().setSysctls({ [name]: value });
  const command = async (file: string, ...args: string[]) => void (await namespace().runChecked(file, args));

  it("tell of an entry that has come to stay for a while, and not that one has gone", async () => {
    await command("ipset", "create", "timed", "hash:ip", "timeout", "0");
    await command("ipset", "add", "timed", "198.18.9.1");
    const without = await snapshot(lab.node(1));
    await command("ipset", "add", "timed", "198.18.9.2", "timeout", "300");
    const withOne = await snapshot(lab.node(1));
    expect(compareSnapshots(without, withOne)).toEqual(["n1: sets: + add timed 198.18.9.2 timeout"]);
    expect(compareSnapshots(withOne, without)).toEqual([]);
    await command("ipset", "del", "timed", "198.18.9.1");
    expect(compareSnapshots(withOne, await snapshot(lab.node(1)))).toEqual(["n1: sets: - add timed 198.18.9.1"]);
  });

  it.each(changes)("show %s", async (_, change, line) => {
    const before = await snapshot(lab.node(1));
    await change();
    expect(compareSnapshots(before, await snapshot(lab.node(1)))).toContainEqual(expect.stringMatching(line));
  });
});
