import { dirname } from "node:path";
import { detachClsact } from "libbpf-ts";
import { links, tcFilters } from "linux-ts";
import { PROGRAMS } from "./layout.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { removeEmpty, removePins } from "./pins.ts";

/** Removes what is left when every workload and proxy is gone: filters whose notes were lost, maps, programs, directories. */
export function uninstall({ config, pins, journal }: NodeKernel): void {
  for (const { index: ifindex } of links()) {
    for (const direction of ["ingress", "egress"] as const) {
      for (const filter of tcFilters({ ifindex, direction })) {
        const isOurs =
          filter.handle === config.clsact.handle && PROGRAMS.some((name) => filter.name?.startsWith(`${name}:`));
        if (isOurs) detachClsact({ ifindex, direction, priority: filter.priority, handle: filter.handle });
      }
    }
  }
  removePins(pins.root);
  // Another layout version may still be there.
  removeEmpty(dirname(pins.root));
  journal.close();
}
