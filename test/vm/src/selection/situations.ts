import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { LabNode } from "@millrace/conformance";

/** How the agent is started, and which backend is to serve. */
export interface Situation {
  readonly name: string;
  /** Default `auto`. */
  readonly redirectMode?: string;
  /** The backends' own configuration. */
  readonly backends?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly expected: "ebpf" | "iptables";
  /** Put before `millrace`. */
  readonly wrap: readonly string[];
  /** In place of the node's BPF file system. */
  readonly bpffs?: string;
}

/** eBPF is taken away in several ways. `refuseBpf`: the built `packages/agent/test/refuse-bpf.c`. */
export function takenAway({ paths }: LabNode, refuseBpf: string): Situation[] {
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

/** Nothing is taken away, and the backend is named. */
export function bothBackends(attach: string, flavour: string): Situation[] {
  return [
    { name: `ebpf ${attach}`, redirectMode: "ebpf", backends: { ebpf: { attach } }, expected: "ebpf", wrap: [] },
    {
      name: `iptables ${flavour}`,
      redirectMode: "iptables",
      backends: { iptables: { flavour } },
      expected: "iptables",
      wrap: [],
    },
  ];
}

/** Without it no backend can enter a pod: the agent has to refuse instead of doing half of its work. */
export const WITHOUT_SYS_ADMIN = ["setpriv", "--bounding-set=-bpf,-sys_admin", "--inh-caps=-bpf,-sys_admin", "--"];
