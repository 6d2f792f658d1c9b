import { readFileSync } from "node:fs";
import type { Check, Finding } from "../check.ts";

/** Numbers of include/uapi/linux/capability.h, and what the agent does with each. */
const CAPABILITIES = [
  { bit: 12, name: "CAP_NET_ADMIN", use: "attach programs, rules and routes", onlyOne: false },
  { bit: 13, name: "CAP_NET_RAW", use: "run iptables, for backend iptables", onlyOne: true },
  { bit: 21, name: "CAP_SYS_ADMIN", use: "enter pods' network namespaces, pin in bpffs", onlyOne: false },
  { bit: 39, name: "CAP_BPF", use: "load programs and maps, for backend ebpf", onlyOne: true },
] as const;

/** `Seccomp:` of /proc/self/status: 0 off, 1 strict, 2 filter (proc_pid_status(5)). */
const SECCOMP_FILTER = "2";

function statusField(status: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1];
}

/** What this process may do: its user, its capabilities, and whether a seccomp filter stands before the kernel. */
export function permissionFindings(status: string, uid: number): readonly Finding[] {
  const findings: Finding[] = [
    uid === 0
      ? { name: "user", state: "good", detail: "root" }
      : { name: "user", state: "bad", detail: `uid ${uid}, not root: what is found below is what this user may see` },
  ];
  const effective = BigInt(`0x${statusField(status, "CapEff") ?? "0"}`);
  const missing = CAPABILITIES.filter(({ bit }) => ((effective >> BigInt(bit)) & 1n) === 0n);
  findings.push(
    missing.length === 0
      ? { name: "capabilities", state: "good", detail: CAPABILITIES.map(({ name }) => name).join(", ") }
      : {
          name: "capabilities",
          state: missing.every(({ onlyOne }) => onlyOne) ? "warn" : "bad",
          detail: `missing ${missing.map(({ name, use }) => `${name} (${use})`).join(", ")}`,
        },
  );
  findings.push(
    statusField(status, "Seccomp") === SECCOMP_FILTER
      ? {
          name: "seccomp",
          state: "note",
          detail:
            "a filter stands before the kernel: a call refused below may be its doing (securityContext.seccompProfile)",
        }
      : { name: "seccomp", state: "good", detail: "no filter" },
  );
  return findings;
}

export const permissions: Check = () =>
  permissionFindings(readFileSync("/proc/self/status", "utf8"), process.geteuid?.() ?? -1);
