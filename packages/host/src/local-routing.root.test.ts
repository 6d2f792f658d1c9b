import { ensureRouting, RTPROT_MILLRACE, removeRouting, routingProblems } from "@millrace/core/host";
import { type Netns, openNetns, routes, rules } from "linux-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run, runIn } from "./testing/run.ts";

const ONE = { table: 15_001, priority: 20_000 };
const TWO = { table: 15_110, priority: 20_010 };

const name = `mrhost${process.pid}`;
let netns: Netns;
beforeEach(() => {
  run("ip", "netns", "add", name);
  runIn(name, "ip", "link", "set", "lo", "up");
  runIn(name, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1");
  netns = openNetns(`/run/netns/${name}`);
});
afterEach(() => {
  netns[Symbol.dispose]();
  run("ip", "netns", "del", name);
});

const ours = ([4, 6] as const).flatMap((family) => () => [
  ...rules(netns.fd, family)
    .filter(({ protocol }) => protocol === RTPROT_MILLRACE)
    .map(({ priority, table, iif }) => `${family}: ${priority} iif ${iif} lookup ${table}`),
  ...routes(netns.fd, { family })
    .filter(({ protocol }) => protocol === RTPROT_MILLRACE)
    .map(({ dst, type, table }) => `${family}: ${type} ${dst} table ${table}`),
]);
const all = () => ours.flatMap((of) => of());

describe("local routing", () => {
  it("takes what comes in at each interface for its own, in both families, and does so once", () => {
    const place = { netns, ifNames: ["eth0", "eth1"] };
    expect(routingProblems(place, ONE)).toHaveLength(6);
    ensureRouting(place, ONE);
    const made = [
      "4: 20000 iif eth0 lookup 15001",
      "4: 20000 iif eth1 lookup 15001",
      "4: local 0.0.0.0/0 table 15001",
      "6: 20000 iif eth0 lookup 15001",
      "6: 20000 iif eth1 lookup 15001",
      "6: local ::/0 table 15001",
    ];
    expect(all().sort()).toEqual(made.sort());
    expect(routingProblems(place, ONE)).toEqual([]);
    ensureRouting(place, ONE);
    expect(all()).toHaveLength(6);
  });

  it("is two backends' at once, and each one's to remove", () => {
    ensureRouting({ netns, ifNames: ["eth0"] }, ONE);
    const before = all();
    ensureRouting({ netns, ifNames: ["eth0"] }, TWO);
    expect(all()).toHaveLength(2 * before.length);
    removeRouting(netns, TWO);
    expect(all()).toEqual(before);
    removeRouting(netns, ONE);
    expect(all()).toEqual([]);
    removeRouting(netns, ONE);
  });

  it("finds what was changed, and puts it right", () => {
    const place = { netns, ifNames: ["eth0"] };
    ensureRouting(place, ONE);
    const before = all();
    for (const family of ["-4", "-6"]) {
      const ip = (...args: string[]) => runIn(name, "ip", family, ...args);
      ip("rule", "del", "priority", "20000");
      ip("rule", "add", "priority", "20000", "iif", "eth0", "lookup", "7", "protocol", "77");
      ip("rule", "add", "priority", "20000", "iif", "eth0", "fwmark", "1", "lookup", "15001", "protocol", "77");
      ip("route", "flush", "table", "15001");
      ip("route", "add", "unreachable", "default", "table", "15001", "protocol", "77");
    }
    expect(routingProblems(place, ONE).filter((problem) => problem.startsWith("IPv6"))).toEqual([
      "IPv6 rule 20000 of eth0 is missing",
      "IPv6 local route in table 15001 is missing",
      "IPv6 rule 20000 (iif eth0 lookup 7) is left over",
      "IPv6 rule 20000 (iif eth0 fwmark 0x1 lookup 15001) is left over",
      "IPv6 route unreachable ::/0 in table 15001 is left over",
    ]);
    ensureRouting(place, ONE);
    expect(all().sort()).toEqual(before.sort());
    expect(routingProblems(place, ONE)).toEqual([]);
  });

  it("leaves to others what is theirs, and says so", () => {
    runIn(name, "ip", "rule", "add", "iif", "eth1", "lookup", "7", "priority", "20000");
    runIn(name, "ip", "-6", "route", "add", "blackhole", "2001:2::/48", "table", "15001");
    const place = { netns, ifNames: ["eth0"] };
    expect(() => ensureRouting(place, ONE)).toThrow(
      expect.objectContaining({ code: "ERR_FOREIGN_OBJECT", message: expect.stringContaining("IPv4 rule 20000") }),
    );
    const foreign = routingProblems(place, ONE).filter((problem) => problem.startsWith("foreign"));
    expect(foreign).toEqual([
      "foreign IPv4 rule 20000 (iif eth1 lookup 7)",
      "foreign IPv6 route blackhole 2001:2::/48 in table 15001",
    ]);
    removeRouting(netns, ONE);
    expect(runIn(name, "ip", "-6", "route", "show", "table", "15001")).toContain("blackhole");
  });

  it("does without IPv6 where no interface has it", () => {
    runIn(name, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1");
    ensureRouting({ netns, ifNames: ["eth0"] }, ONE);
    expect(all().every((line) => line.startsWith("4"))).toBe(true);
    expect(routingProblems({ netns, ifNames: ["eth0"] }, ONE)).toEqual([]);
  });
});
