import { BpfProgram, queryTcx } from "libbpf-ts";
import { type Link, links, tcFilters } from "linux-ts";

/** Names of our own programs, as the kernel keeps them: 15 characters (BPF_OBJ_NAME_LEN). */
const OURS: ReadonlySet<string> = new Set([
  "app_outbound",
  "app_inbound",
  "ztunnel_host_in",
  "ztunnel_tproxy",
  "shadow_outbound",
  "shadow_inbound",
]);
const DIRECTIONS = ["ingress", "egress"] as const;

/** A program attached to an interface, in the order it runs. */
export interface AttachedProgram {
  readonly interface: string;
  readonly direction: (typeof DIRECTIONS)[number];
  readonly by: "tcx" | "clsact";
  readonly name: string;
  readonly programId: number;
  /** Of its link, when it is attached by one. */
  readonly linkId?: number;
}

/** Whether a program is one of ours, by its name. */
export function isOurs(program: AttachedProgram): boolean {
  return OURS.has(program.name);
}

function attachedTo(link: Link): AttachedProgram[] {
  const found: AttachedProgram[] = [];
  for (const direction of DIRECTIONS) {
    const at = { interface: link.name, direction };
    for (const { programId, linkId } of tcxPrograms(link.index, direction)) {
      found.push({ ...at, by: "tcx", name: programName(programId), programId, linkId });
    }
    for (const { programId } of tcFilters({ ifindex: link.index, direction })) {
      if (programId !== undefined) found.push({ ...at, by: "clsact", name: programName(programId), programId });
    }
  }
  return found;
}

/** As the kernel keeps it: the name that tc(8) was given for a filter may be anything. */
function programName(programId: number): string {
  using program = BpfProgram.byId(programId);
  return program.info.name;
}

function tcxPrograms(ifindex: number, direction: "ingress" | "egress") {
  try {
    return queryTcx({ ifindex, direction }).programs;
  } catch (error) {
    if ((error as { code?: string }).code === "EINVAL") return []; // a kernel before 6.6 has no tcx
    throw error;
  }
}

/** Every program on a veth of this network namespace. A veth or a program that goes away meanwhile is left out. */
export function attachedPrograms(): AttachedProgram[] {
  const programs: AttachedProgram[] = [];
  for (const link of links().filter(({ kind }) => kind === "veth")) {
    try {
      programs.push(...attachedTo(link));
    } catch (error) {
      if (!["ENODEV", "ENOENT"].includes((error as { code?: string }).code ?? "")) throw error;
    }
  }
  return programs;
}
