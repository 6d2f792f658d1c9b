import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { LabNode } from "@millrace/conformance";

/** Something that is taken away from the agent, and what `redirectMode: auto` is to make of it. */
export interface Situation {
  readonly name: string;
  readonly expected: "ebpf" | "iptables";
  /** Put before `millrace`. */
  readonly wrap: readonly string[];
  /** In place of the node's BPF file system. */
  readonly bpffs?: string;
}

/** `refuseBpf`: the built `packages/agent/test/refuse-bpf.c`. */
export function situations({ paths }: LabNode, refuseBpf: string): Situation[] {
  const plain = join(paths.root, "no-bpffs");
  mkdirSync(plain, { recursive: true });
  return [
    { name: "nothing is taken away", expected: "ebpf", wrap: [] },
    { name: "no BPF file system is mounted", expected: "iptables", wrap: [], bpffs: plain },
    { name: "bpf(2) is refused by seccomp", expected: "iptables", wrap: [refuseBpf, "EPERM"] },
    { name: "the kernel has no bpf(2)", expected: "iptables", wrap: [refuseBpf, "ENOSYS"] },
    {
      // include/linux/capability.h, bpf_capable(): CAP_SYS_ADMIN, which either backend needs to enter pods, has it in itself.
      name: "CAP_BPF is dropped, CAP_SYS_ADMIN is not",
      expected: "ebpf",
      wrap: ["setpriv", "--bounding-set=-bpf", "--inh-caps=-bpf", "--"],
    },
  ];
}

/** Without it no backend can enter a pod: the agent has to refuse instead of doing half of its work. */
export const WITHOUT_SYS_ADMIN = ["setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin", "--"];
