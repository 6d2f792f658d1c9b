import type { Link } from "linux-ts";
import { expect, test } from "vitest";
import type { AttachedProgram } from "../../kernel/attached-programs.ts";
import { someStatus } from "../../testing/some-status.test.kit.ts";
import type { Finding } from "../check.ts";
import { agentFinding } from "./agent.ts";
import { bpffsFinding, parseMountinfo } from "./bpf-file-system.ts";
import { bridgeFindings } from "./bridges.ts";
import { firewallFindings } from "./firewall.ts";
import { foreignProgramFindings } from "./foreign-programs.ts";
import { ipvsFindings } from "./ipvs.ts";
import { permissionFindings } from "./permissions.ts";
import { canWriteSysctls, rpFilterFindings } from "./rp-filter.ts";

const mount = (point: string, type: string, options = "rw", superOptions = "rw") =>
  `36 25 0:32 / ${point} ${options},nosuid shared:17 - ${type} none ${superOptions},mode=700\n`;

test("mountinfo: place, type and whether it can be written, with escapes", () => {
  expect(parseMountinfo(mount("/a\\040b", "bpf", "ro"))).toEqual([{ point: "/a b", type: "bpf", readOnly: true }]);
  expect(parseMountinfo(mount("/x", "bpf", "rw", "ro"))[0]?.readOnly).toBe(true);
});

test("bpffs: writable, read-only, missing, elsewhere, hidden under another mount", () => {
  expect(bpffsFinding(mount("/sys/fs/bpf", "bpf"), "/sys/fs/bpf").state).toBe("good");
  expect(bpffsFinding(mount("/sys/fs/bpf", "bpf", "ro"), "/sys/fs/bpf")).toMatchObject({
    state: "warn",
    detail: "backend ebpf needs a writable one: /sys/fs/bpf is mounted read-only: mount -o remount,rw /sys/fs/bpf",
  });
  expect(bpffsFinding(mount("/", "ext4"), "/sys/fs/bpf").detail).toContain(
    "nothing is mounted at /sys/fs/bpf: mount -t bpf",
  );
  expect(bpffsFinding(mount("/other", "bpf"), "/sys/fs/bpf").detail).toContain("there is one at /other");
  expect(bpffsFinding(mount("/sys/fs/bpf", "bpf") + mount("/sys/fs/bpf", "tmpfs"), "/sys/fs/bpf")).toMatchObject({
    state: "warn",
    detail: expect.stringContaining("type tmpfs"),
  });
});

const FULL = "CapEff:\t000001ffffffffff\nSeccomp:\t0\n";

test("permissions: root with all capabilities is good", () => {
  expect(permissionFindings(FULL, 0).map(({ state }) => state)).toEqual(["good", "good", "good"]);
});

test("permissions: another user, missing capabilities and a filter are told", () => {
  const [user, capabilities, seccomp] = permissionFindings("CapEff:\t0000000000001000\nSeccomp:\t2\n", 65534);
  expect(user).toMatchObject({ state: "bad", detail: expect.stringContaining("uid 65534, not root") });
  expect(capabilities?.detail).not.toContain("CAP_NET_ADMIN");
  expect(capabilities?.detail).toMatch(/CAP_SYS_ADMIN .*CAP_BPF/);
  expect(capabilities?.state).toBe("bad");
  expect(seccomp).toMatchObject({ state: "note" });
});

test("permissions: what only one backend needs is no fault of the host", () => {
  const [, capabilities] = permissionFindings("CapEff:\t0000000000203000\nSeccomp:\t0\n", 0);
  expect(capabilities).toMatchObject({ state: "warn", detail: expect.stringMatching(/^missing CAP_BPF \(/) });
});

// The kernel takes max(all, device): 1 is strict, 2 is loose.
test.each([
  [0, { a: 0 }, "good"],
  [2, { a: 1 }, "good"],
  [1, { a: 2 }, "note"], // the next veth
  [1, { a: 0 }, "note"],
  [0, { a: 1 }, "note"],
] as const)("rp_filter: all=%s with %o is %s", (all, veths, state) => {
  const readings = { all, default: 0, veths };
  expect(rpFilterFindings(readings, true)[0]?.state).toBe(state);
  expect(rpFilterFindings(readings, false)[0]?.state).toBe(state === "note" ? "bad" : state);
});

test("rp_filter: names what is strict, and why", () => {
  expect(rpFilterFindings({ all: 1, default: 0, veths: { b: 0, a: 0, loose: 2 } }, true)[0]?.detail).toContain(
    "strict on a, b (by all=1)",
  );
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`v${index}`, 1]));
  expect(rpFilterFindings({ all: 0, default: 0, veths: many }, true)[0]?.detail).toContain("and 12 more");
});

test("sysctls: writable unless the mount nearest to them is read-only", () => {
  const container = mount("/proc", "proc") + mount("/proc/sys", "proc", "ro");
  expect(canWriteSysctls(mount("/", "ext4", "ro") + mount("/proc", "proc"))).toBe(true);
  expect(canWriteSysctls(container)).toBe(false);
  expect(canWriteSysctls(container + mount("/proc/sys/net", "proc"))).toBe(true);
  expect(canWriteSysctls(container + mount("/proc/sysvipc", "proc"))).toBe(false);
});

const ruleSets = (...texts: readonly [program: string, text: string | undefined][]) => new Map(texts);
const states = (found: readonly Finding[]) => found.map(({ name, state }) => `${name} ${state}`);

test.each([
  ["iptables-nft-save", "-A cali-PREROUTING -m rpfilter --validmark --invert -j DROP"],
  ["nft", "meta nfproto ipv6 fib saddr . mark . iif oif missing drop"],
])("firewall: a reverse path test of %s is told, once", (program, rule) => {
  const found = firewallFindings(ruleSets([program, `*raw\n${rule}\n\t${rule}\n-A X -j ACCEPT\n`]));
  expect(states(found)).toEqual(["firewall rpfilter warn", "spoof guards good"]);
  expect(found[0]?.detail).toMatch(new RegExp(`: ${program}: [^;]*$`));
  expect(found[0]?.detail).toContain(rule);
});

test.each([
  ["nft", "ether saddr != 02:00:00:00:00:01 drop"],
  ["nft", 'iifname "veth1" ip saddr != 198.18.1.11 counter packets 0 bytes 0 drop'],
  ["ebtables-save", "-A FORWARD -p IPv4 -i veth1 ! --ip-src 198.18.1.11 -j DROP"],
  ["iptables-nft-save", "-A FORWARD ! -s 198.18.1.11/32 -i veth1 -j DROP"],
])("firewall: a spoof guard of %s is told: %s", (program, rule) => {
  const found = firewallFindings(ruleSets([program, rule], ["ip6tables-nft-save", undefined]));
  expect(states(found)).toEqual(["firewall rpfilter good", "spoof guards warn"]);
});

test("firewall: nothing to look with is unknown, many rules are cut short", () => {
  expect(states(firewallFindings(ruleSets(["nft", undefined])))).toEqual([
    "firewall rpfilter unknown",
    "spoof guards unknown",
  ]);
  const many = Array.from({ length: 9 }, (_, index) => `-A P -i v${index} -m rpfilter --invert -j DROP`).join("\n");
  expect(firewallFindings(ruleSets(["iptables-nft-save", many]))[0]?.detail).toContain("and 5 more");
});

const link = (index: number, kind: string, name: string, master?: number): Link => ({
  index,
  name,
  kind,
  mac: "",
  mtu: 1500,
  up: true,
  ...(master !== undefined && { master }),
});

test("bridges: pods on one are told, with what the iptables backend needs for them", () => {
  expect(bridgeFindings([link(1, "veth", "h1"), link(2, "bridge", "empty")], "absent")[0]?.state).toBe("good");
  const pods = [link(3, "bridge", "cni0"), link(4, "veth", "v4", 3), link(5, "veth", "v5", 3)];
  for (const netfilter of ["on", "off", "absent"] as const) {
    const detail = expect.stringMatching(/2 on cni0.* feature nft\.bridge has to be there/);
    expect(bridgeFindings(pods, netfilter)[0]).toMatchObject({ state: "note", detail });
  }
  expect(bridgeFindings(pods, "absent")[0]?.detail).toContain("br_netfilter is not loaded");
});

test("IPVS: TCP Services are told, an empty table and one of UDP alone are not", () => {
  const head =
    "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";
  const udp = "UDP  0A60000A:0035 rr  \n  -> 0AF40003:0035      Masq    1      0          0         \n";
  const tcp = "TCP  0A600001:01BB rr  \n  -> AC120002:192B      Masq    1      0          0         \n";
  for (const table of [undefined, head, head + udp]) expect(ipvsFindings(table)[0]?.state).toBe("good");
  expect(ipvsFindings(head + udp + tcp + tcp)[0]).toMatchObject({
    state: "warn",
    detail: expect.stringMatching(/^IPVS serves 2 TCP Services/),
  });
});

test("the agent: none is no fault, and what it complains of is told", () => {
  expect(agentFinding(undefined)).toEqual({ name: "agent", state: "note", detail: "none runs here" });
  expect(agentFinding(someStatus())).toMatchObject({
    state: "good",
    detail: "0 enrolled, as the kernel had it at 2026-01-02T03:00:00.000Z",
  });
  const unread = { since: "2026-01-02T03:00:00.000Z", attempts: 1, code: "EPERM", message: "not today" };
  expect(agentFinding(someStatus({ unread }))).toMatchObject({
    state: "warn",
    detail: "the kernel cannot be read: EPERM: not today; it was last read at 2026-01-02T03:00:00.000Z",
  });
});

const program = (name: string, where: string): AttachedProgram => ({
  interface: where,
  direction: "ingress",
  by: "tcx",
  name,
  programId: 1,
});

test("foreign programs: ours are not, others are told once per program", () => {
  expect(foreignProgramFindings([program("app_outbound", "h1")])[0]?.state).toBe("good");
  const findings = foreignProgramFindings([program("cil_from_contai", "h1"), program("cil_from_contai", "h2")]);
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({
    state: "warn",
    detail: expect.stringContaining("cil_from_contai by tcx ingress on h1 and 1 more"),
  });
});
