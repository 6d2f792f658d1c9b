import { existsSync } from "node:fs";
import { join } from "node:path";
import { RTPROT_MILLRACE } from "@millrace/host";
import { routes, rules } from "linux-ts";
import { attachedPrograms, isOurs } from "../kernel/attached-programs.ts";

/** How to see without touching anything that a built-in backend has been here; it throws when it cannot be seen. */
const LOOKS: Readonly<Record<string, (bpffs: string) => boolean>> = {
  ebpf: (bpffs) => existsSync(join(bpffs, "millrace")) || attachedPrograms().some(isOurs),
  iptables: () =>
    ([4, 6] as const).some((family) =>
      [...rules(undefined, family), ...routes(undefined, { family })].some(
        ({ protocol }) => protocol === RTPROT_MILLRACE,
      ),
    ),
};

/**
 * Whether the kernel shows something of a backend, also where the journal that would tell is lost. Opening one to find out would make
 * what uninstalling cannot take back: empty tables of iptables. Of a plugin that is not built in nothing is known: it may.
 */
export function hasTraces(backend: string, bpffs: string): boolean {
  return LOOKS[backend]?.(bpffs) ?? true;
}
