import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXIT } from "../exit-codes.ts";
import { AS_NOBODY } from "../testing/as-nobody.ts";
import { millrace } from "../testing/millrace.ts";
import type { Diagnosis } from "./diagnosis.ts";

let directory: string;
let refuseBpf: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-doctor-"));
  refuseBpf = join(directory, "refuse-bpf");
  const source = join(import.meta.dirname, "..", "..", "test", "refuse-bpf.c");
  execFileSync("cc", ["-O2", "-Wall", "-Wextra", "-Werror", "-o", refuseBpf, source]);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** A mount namespace of its own, with a BPF file system at the usual place. */
const withBpffs = (options: string, ...then: readonly string[]) => [
  "unshare",
  "--mount",
  "--propagation",
  "private",
  "sh",
  "-c",
  `mount -t bpf ${options} bpf /sys/fs/bpf && exec "$@"`,
  "sh",
  ...then,
];

async function diagnose(prefix: readonly string[], ...args: readonly string[]) {
  const { code, stdout, stderr } = await millrace(["doctor", "--json", ...args], { prefix });
  expect(stderr).toBe("");
  return { code, diagnosis: JSON.parse(stdout) as Diagnosis };
}

const finding = (diagnosis: Diagnosis, name: string) => diagnosis.host.find((one) => one.name === name);
const taken = (diagnosis: Diagnosis) => diagnosis.selection;
const ebpf = (diagnosis: Diagnosis) => diagnosis.backends.find(({ name }) => name === "ebpf");

test("root with a BPF file system: the ebpf backend serves, without a running agent", async () => {
  const { code, diagnosis } = await diagnose(withBpffs(""));
  expect(code).toBe(EXIT.ok);
  expect(finding(diagnosis, "bpffs")?.state).toBe("good");
  expect(ebpf(diagnosis)?.probe?.capable).toBe(true);
  expect(taken(diagnosis)).toEqual({
    mode: "auto",
    backend: "ebpf",
    reason: "first of the list, and capable; comes after it in the order: iptables",
  });
});

test("a plugin that throws while it is loaded, or ends its process, is told by what the configuration calls it, and the others serve", async () => {
  writeFileSync(join(directory, "throws.mjs"), "throw new Error('no library here')");
  writeFileSync(join(directory, "exits.mjs"), "process.exit(3)");
  writeFileSync(join(directory, "config.yaml"), "plugins: [./throws.mjs, ./exits.mjs]\n");
  const { code, diagnosis } = await diagnose(withBpffs(""), "--config", join(directory, "config.yaml"));
  expect(code).toBe(EXIT.ok);
  expect(diagnosis.backends.slice(2)).toMatchObject([
    { name: "./throws.mjs", error: { code: "ERR_PLUGIN_FAILED", message: expect.stringContaining("no library here") } },
    { name: "./exits.mjs", error: { code: "ERR_PLUGIN_PROCESS", message: expect.stringContaining("exit code 3") } },
  ]);
  expect(taken(diagnosis).backend).toBe("ebpf");
});

test("the iptables backend tells its flavour and why, the tunnel it would use, and what each missing program is in", async () => {
  const { diagnosis } = await diagnose(withBpffs(""), "--redirect-mode", "iptables");
  expect(taken(diagnosis)).toEqual({
    mode: "iptables",
    backend: "iptables",
    reason: "named by redirectMode; not considered: ebpf",
  });
  const features = diagnosis.backends.find(({ name }) => name === "iptables")?.probe?.features ?? [];
  const detail = (wanted: string) => features.find(({ name }) => name === wanted)?.detail;
  expect(detail("iptables.flavour")).toMatch(/^(nft|legacy): \S/);
  expect(detail("tunnel")).toMatch(/^(geneve|vxlan)$/);
  const empty = join(directory, "empty");
  mkdirSync(empty);
  const without = await diagnose(["/usr/bin/env", `PATH=${empty}`], "--redirect-mode", "iptables");
  expect(without.code).toBe(EXIT.notCapable);
  expect(without.diagnosis.selection.reason).toMatch(/iptables: missing: program\.nsenter\b/);
  const missing = without.diagnosis.backends.find(({ name }) => name === "iptables")?.probe?.features ?? [];
  expect(missing.find(({ name }) => name === "program.nsenter")?.detail).toContain("apt install util-linux");
});

test("the table names every feature, with what it is needed for", async () => {
  const { code, stdout } = await millrace(["doctor"], { prefix: withBpffs("") });
  expect(code).toBe(EXIT.ok);
  expect(stdout).toMatch(/^Host\nSTATE +CHECK +DETAIL\n/);
  expect(stdout).toMatch(/^HERE +FEATURE +NEED +FOR +DETAIL$/m);
  expect(stdout).toMatch(/^capable: /m);
  expect(stdout).toMatch(/^redirectMode auto takes ebpf: /m);
});

test("not root: says so, and that no backend serves", async () => {
  const prefix = withBpffs("", "setpriv", ...AS_NOBODY, "--");
  const { code, diagnosis } = await diagnose(prefix);
  expect(code).toBe(EXIT.notCapable);
  expect(finding(diagnosis, "user")).toMatchObject({ state: "bad", detail: expect.stringContaining("not root") });
  expect(finding(diagnosis, "capabilities")?.detail).toContain("CAP_BPF");
  expect(ebpf(diagnosis)?.probe?.capable).toBe(false);
  expect(diagnosis.selection.backend).toBeUndefined();
});

test("root without capabilities: says which are missing", async () => {
  const prefix = withBpffs("", "setpriv", "--bounding-set=-all", "--inh-caps=-all", "--");
  const { code, diagnosis } = await diagnose(prefix);
  expect(code).toBe(EXIT.notCapable);
  expect(finding(diagnosis, "user")?.state).toBe("good");
  expect(finding(diagnosis, "capabilities")?.detail).toMatch(/CAP_NET_ADMIN.*CAP_SYS_ADMIN.*CAP_BPF/);
});

test.each(["EPERM", "ENOSYS"] as const)("bpf(2) answers %s: the probe says so", async (errno) => {
  const { code, diagnosis } = await diagnose(withBpffs("", refuseBpf, errno));
  expect(code).toBe(EXIT.ok);
  expect(taken(diagnosis)).toMatchObject({
    backend: "iptables",
    reason: expect.stringMatching(/^first that is capable; passed over ebpf \(missing: bpf\.syscall, /),
  });
  expect(finding(diagnosis, "seccomp")?.state).toBe("note");
  const probe = ebpf(diagnosis)?.probe;
  expect(probe?.capable).toBe(false);
  const missing = probe?.features.filter((feature) => feature.required && !feature.available) ?? [];
  expect(missing.length).toBeGreaterThan(0);
  expect(missing.map(({ detail }) => detail).join("\n")).toMatch(
    errno === "EPERM" ? /EPERM|permi/i : /ENOSYS|no bpf\(2\)/i,
  );
});

test("a read-only BPF file system: says how to make it writable", async () => {
  const { code, diagnosis } = await diagnose(withBpffs("-o ro"));
  expect(code).toBe(EXIT.ok);
  expect(taken(diagnosis)).toMatchObject({
    backend: "iptables",
    reason: "first that is capable; passed over ebpf (missing: bpf.fs)",
  });
  expect(finding(diagnosis, "bpffs")).toMatchObject({ state: "warn", detail: expect.stringContaining("remount,rw") });
  expect(ebpf(diagnosis)?.probe?.capable).toBe(false);
});

test("no BPF file system: says how to mount one", async () => {
  const { code, diagnosis } = await diagnose([], "--paths-bpffs", join(directory, "nothing"));
  expect(code).toBe(EXIT.ok);
  expect(taken(diagnosis)).toMatchObject({ backend: "iptables" });
  expect(finding(diagnosis, "bpffs")?.detail).toContain("nothing is mounted at");
  expect(ebpf(diagnosis)?.probe?.capable).toBe(false);
});

test("what somebody else has where the iptables backend would write is named with its owner, and refused", async () => {
  const inside = [
    "unshare",
    "--net",
    "sh",
    "-ec",
    'ip rule add priority 65 fwmark 0x1/0x1 lookup 100; exec "$@"',
    "sh",
  ];
  const { code, diagnosis } = await diagnose(inside, "--redirect-mode", "iptables");
  expect(code).toBe(EXIT.notCapable);
  expect(diagnosis.selection.reason).toMatch(/ iptables: clashes: .*\b65\b.* Change backends\.iptables\./);
});
