import { expect, test } from "vitest";
import type { AttachedProgram } from "../../kernel/attached-programs.ts";
import { bpffsFinding, parseMountinfo } from "./bpf-file-system.ts";
import { reversePathRules } from "./firewall-rpfilter.ts";
import { foreignProgramFindings } from "./foreign-programs.ts";
import { permissionFindings } from "./permissions.ts";
import { rpFilterFindings } from "./rp-filter.ts";

const mount = (point: string, type: string, options = "rw", superOptions = "rw") =>
  `36 25 0:32 / ${point} ${options},nosuid shared:17 - ${type} none ${superOptions},mode=700\n`;

test("mountinfo: place, type and whether it can be written, with escapes", () => {
  expect(parseMountinfo(mount("/a\\040b", "bpf", "ro"))).toEqual([{ point: "/a b", type: "bpf", readOnly: true }]);
  expect(parseMountinfo(mount("/x", "bpf", "rw", "ro"))[0]?.readOnly).toBe(true);
});

test("bpffs: writable, read-only, missing, elsewhere, hidden under another mount", () => {
  expect(bpffsFinding(mount("/sys/fs/bpf", "bpf"), "/sys/fs/bpf").state).toBe("good");
  expect(bpffsFinding(mount("/sys/fs/bpf", "bpf", "ro"), "/sys/fs/bpf")).toMatchObject({
    state: "bad",
    detail: "/sys/fs/bpf is mounted read-only: mount -o remount,rw /sys/fs/bpf",
  });
  expect(bpffsFinding(mount("/", "ext4"), "/sys/fs/bpf").detail).toContain(
    "nothing is mounted at /sys/fs/bpf: mount -t bpf",
  );
  expect(bpffsFinding(mount("/other", "bpf"), "/sys/fs/bpf").detail).toContain("there is one at /other");
  expect(bpffsFinding(mount("/sys/fs/bpf", "bpf") + mount("/sys/fs/bpf", "tmpfs"), "/sys/fs/bpf")).toMatchObject({
    state: "bad",
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
  expect(seccomp).toMatchObject({ state: "note" });
});

// The kernel takes max(all, device): 1 is strict, 2 is loose.
test.each([
  [0, { a: 0 }, "good"],
  [2, { a: 1 }, "good"],
  [1, { a: 2 }, "warn"], // the next veth
  [1, { a: 0 }, "warn"],
  [0, { a: 1 }, "warn"],
] as const)("rp_filter: all=%s with %o is %s", (all, veths, state) => {
  expect(rpFilterFindings({ all, default: 0, veths })[0]?.state).toBe(state);
});

test("rp_filter: names what is strict, and why", () => {
  expect(rpFilterFindings({ all: 1, default: 0, veths: { b: 0, a: 0, loose: 2 } })[0]?.detail).toContain(
    "strict on a, b (by all=1)",
  );
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`v${index}`, 1]));
  expect(rpFilterFindings({ all: 0, default: 0, veths: many })[0]?.detail).toContain("and 12 more");
});

test("firewall: the rules that test the reverse path, each once", () => {
  const iptables =
    "*raw\n-A PREROUTING -m rpfilter --invert -j DROP\n-A PREROUTING -m rpfilter --invert -j DROP\n-A X -j ACCEPT\n";
  expect(reversePathRules(iptables, /-m rpfilter\b/)).toEqual(["-A PREROUTING -m rpfilter --invert -j DROP"]);
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
