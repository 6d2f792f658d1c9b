import { detachClsact } from "libbpf-ts";
import { clsactLinks, links, tcFilters } from "linux-ts";
import { filterProgram } from "./attach-clsact.ts";
import { PROGRAMS, type ProgramName } from "./layout.ts";
import type { NodeKernel } from "./node-kernel.ts";
import type { Slot } from "./slot-identity.ts";

/** A filter of ours on an interface of the node that no directory in bpffs accounts for. */
export interface StrayFilter {
  readonly ifindex: number;
  readonly ifName: string;
  readonly direction: "ingress" | "egress";
  readonly priority: number;
  readonly handle: number;
  readonly program: ProgramName;
}

/**
 * Filters outlive the directories that name them when somebody removes those, or mounts another BPF file system over them. Ours are told
 * by handle and program name. tcx links need no such search: without a pin they end by themselves.
 */
export function strayFilters({ config, pins }: NodeKernel, slots: readonly Slot[]): StrayFilter[] {
  const enrolled = new Set(pins.workloads().map(({ ifindex }) => ifindex));
  const proxies = new Set(slots.map(({ identity }) => identity?.hostIndex));
  // One list of all qdiscs instead of two of filters for each link: where we attach by tcx, most have none.
  const withQdisc = clsactLinks();
  const candidates = links().filter(({ index }) => withQdisc.has(index));
  return candidates.flatMap(({ index: ifindex, name: ifName }) =>
    (["ingress", "egress"] as const).flatMap((direction) =>
      tcFilters({ ifindex, direction }).flatMap((filter) => {
        const program = PROGRAMS.find((name) => filterProgram(filter) === name);
        if (program === undefined || filter.handle !== config.clsact.handle) return [];
        const isAccountedFor = program === "ztunnel_host_in" ? proxies.has(ifindex) : enrolled.has(ifindex);
        const { priority, handle } = filter;
        return isAccountedFor ? [] : [{ ifindex, ifName, direction, priority, handle, program }];
      }),
    ),
  );
}

export function removeStrayFilters(kernel: NodeKernel, slots: readonly Slot[]): void {
  for (const stray of strayFilters(kernel, slots)) {
    const { ifindex, direction, priority, handle, ifName, program } = stray;
    detachClsact({ ifindex, direction, priority, handle });
    kernel.log.info({ interface: ifName, direction, program }, "removed a filter that nothing accounts for");
  }
}
