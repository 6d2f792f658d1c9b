import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addRule, deleteRule, type Rule, type RuleSpec, rules, rulesAsync } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

interface IpRule {
  priority: number;
  not?: null;
  src: string;
  srclen?: number;
  dst?: string;
  dstlen?: number;
  iif?: string;
  oif?: string;
  fwmark?: string;
  fwmask?: string;
  table?: string;
  protocol: string;
  goto?: number;
  nop?: null;
  l3mdev?: null;
  action?: string;
  tos?: string;
  suppress_prefixlen?: number;
}

/** FR_ACT_* that `ip -N` prints as numbers of route types (RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT). */
const actions: Record<string, Rule["action"]> = { "6": "blackhole", "7": "unreachable", "8": "prohibit" };

function prefix(family: 4 | 6, address: string | undefined, length: number | undefined): string | undefined {
  if (address === undefined || address === "all") return undefined;
  return `${address}/${length ?? (family === 4 ? 32 : 128)}`;
}

/** `ip -N -j rule` in our shape, for the selectors that the test uses. */
function fromIp(family: 4 | 6, rule: IpRule): Rule {
  const src = prefix(family, rule.src, rule.srclen);
  const dst = prefix(family, rule.dst, rule.dstlen);
  const marked = rule.fwmark !== undefined;
  return {
    priority: rule.priority,
    family,
    action: rule.goto !== undefined ? "goto" : "nop" in rule ? "nop" : (actions[rule.action ?? ""] ?? "lookup"),
    table: Number(rule.table ?? 0),
    ...(rule.iif === undefined ? {} : { iif: rule.iif }),
    ...(rule.oif === undefined ? {} : { oif: rule.oif }),
    ...(marked ? { fwmark: Number(rule.fwmark), fwmask: Number(rule.fwmask ?? 0xffffffff) } : {}),
    ...(src === undefined ? {} : { src }),
    ...(dst === undefined ? {} : { dst }),
    ...(rule.tos === undefined ? {} : { tos: Number(rule.tos) }),
    ...("l3mdev" in rule ? { l3mdev: true } : {}),
    ...("not" in rule ? { inverted: true } : {}),
    ...(rule.goto === undefined ? {} : { goto: rule.goto }),
    ...(rule.suppress_prefixlen === undefined ? {} : { suppressPrefixLength: rule.suppress_prefixlen }),
    protocol: Number(rule.protocol),
  };
}

describe("rules", () => {
  let namespace: ScratchNetns;
  const listed = (family: 4 | 6) =>
    namespace.ipJson<IpRule[]>(`-${family} -N -d rule`).map((rule) => fromIp(family, rule));

  beforeAll(() => {
    namespace = new ScratchNetns();
    namespace.ip(`
      link add e0 type veth peer name e1
      rule add pref 10 iif e0 lookup 100
      rule add pref 11 fwmark 0x1/0xff lookup 70000
      rule add pref 12 fwmark 0xffffffff lookup 100 protocol bgp
      rule add pref 13 fwmark 0/0xf0 lookup main
      rule add pref 20 not from 198.18.0.0/24 to 198.18.1.1 oif gone tos 0x10 lookup 100
      rule add pref 21 lookup main suppress_prefixlength 0
      rule add pref 22 goto 23
      rule add pref 23 nop
      rule add pref 24 from 198.18.9.0/24 blackhole
      rule add pref 25 from 198.18.10.0/24 unreachable
      rule add pref 26 l3mdev
    `);
    namespace.ip6(`
      rule add pref 10 iif e0 lookup 100
      rule add pref 20 from 2001:2::/48 to 2001:2:0:1::1 prohibit
    `);
  });

  afterAll(() => namespace[Symbol.dispose]());

  it("are what ip(8) lists, in both families and in order", async () => {
    expect(rules(namespace.fd, 4)).toEqual(listed(4));
    expect(rules(namespace.fd, 6)).toEqual(listed(6));
    const onOtherThreads = Promise.all([rulesAsync(namespace.fd, 4), rulesAsync(namespace.fd, 6)]);
    expect(await onOtherThreads).toEqual([listed(4), listed(6)]);
    await expect(rulesAsync(1_000_000, 4)).rejects.toMatchObject({ name: "LinuxError", code: "EBADF" });
    expect(listed(4)).toHaveLength(14);
  });

  it("of further kinds are told apart from plain ones", () => {
    namespace.ip(
      "rule add pref 30 ipproto tcp sport 80 dport 100-200 uidrange 0-5 lookup 100 suppress_ifgroup 3 realms 2",
    );
    namespace.ip6("rule add pref 30 tun_id 77 lookup 100");
    expect(rules(namespace.fd, 4).find(({ priority }) => priority === 30)).toMatchObject({
      ipProtocol: 6,
      sourcePorts: { start: 80, end: 80 },
      destinationPorts: { start: 100, end: 200 },
      uids: { start: 0, end: 5 },
      suppressGroup: 3,
      flow: 2,
    });
    expect(rules(namespace.fd, 6).find(({ priority }) => priority === 30)).toMatchObject({ tunnelId: 77n });
    namespace.ip("rule del pref 30");
    namespace.ip6("rule del pref 30");
  });

  it.each<RuleSpec>([
    { family: 4, priority: 50, iif: "e0", table: 4242 },
    { family: 6, priority: 50, iif: "e0", table: 4242 },
    { family: 4, priority: 51, iif: "not-here-yet", table: 7 },
    { family: 6, priority: 52, fwmark: 0x5, fwmask: 0xf, table: 100_000, protocol: 200 },
    { family: 4, priority: 53, fwmark: 0x80000001, table: 100 },
    { family: 4, priority: 54, table: 254 },
  ])("of the form %j are added once, listed by ip(8), and deleted", (spec) => {
    const before = listed(spec.family);
    addRule(namespace.fd, spec);
    const found = rules(namespace.fd, spec.family).filter(({ priority }) => priority === spec.priority);
    expect(found).toMatchObject([{ action: "lookup", protocol: 4, ...spec }]);
    expect(rules(namespace.fd, spec.family)).toEqual(listed(spec.family));

    const again = expect.objectContaining({ code: "EEXIST", errno: -17, syscall: "recvmsg RTM_NEWRULE" });
    expect(() => addRule(namespace.fd, spec)).toThrow(again);

    deleteRule(namespace.fd, spec);
    expect(listed(spec.family)).toEqual(before);
    const gone = expect.objectContaining({ code: "ENOENT", errno: -2 });
    expect(() => deleteRule(namespace.fd, spec)).toThrow(gone);
  });

  it("of others stay, although the kernel would take them for the one that is deleted", () => {
    namespace.ip("rule add pref 60 iif e0 lookup 100 protocol static");
    const bare: RuleSpec = { family: 4, priority: 60, table: 100 };
    expect(() => deleteRule(namespace.fd, bare)).toThrow(expect.objectContaining({ code: "ENOENT" }));

    addRule(namespace.fd, bare);
    const ambiguous = expect.objectContaining({ code: "ERR_AMBIGUOUS", errno: 0 });
    expect(() => deleteRule(namespace.fd, bare)).toThrow(ambiguous);
    expect(rules(namespace.fd, 4).filter(({ priority }) => priority === 60)).toHaveLength(2);

    deleteRule(namespace.fd, { ...bare, iif: "e0" });
    deleteRule(namespace.fd, bare);
    expect(rules(namespace.fd, 4).filter(({ priority }) => priority === 60)).toEqual([]);
  });
});
