import { readFileSync } from "node:fs";

/** Bits of include/uapi/linux/capability.h. */
const BITS = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_SYS_ADMIN: 21, CAP_BPF: 39 } as const;
export type Capability = keyof typeof BITS;

/** Whether this process has a capability now (proc_pid_status(5), CapEff). */
export function hasCapability(capability: Capability, status = readFileSync("/proc/self/status", "utf8")): boolean {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (hex === undefined) throw new SyntaxError("/proc/self/status names no effective capabilities");
  const bits = BigInt(`0x${hex}`);
  const has = (name: Capability) => ((bits >> BigInt(BITS[name])) & 1n) === 1n;
  // CAP_SYS_ADMIN has always included what CAP_BPF allows (include/linux/capability.h, bpf_capable()).
  return has(capability) || (capability === "CAP_BPF" && has("CAP_SYS_ADMIN"));
}
