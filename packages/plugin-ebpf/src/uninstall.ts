import { removeEmpty } from "@millrace/host";
import type { NodeKernel } from "./node-kernel.ts";
import { removePins } from "./pins.ts";
import { removeStrayFilters } from "./stray-filters.ts";

/** Removes what is left when every workload and proxy is gone: filters that nothing accounts for, maps, programs, directories. */
export function uninstall(kernel: NodeKernel): void {
  removeStrayFilters(kernel, []);
  removePins(kernel.pins.root);
  // Another layout version may still be there.
  removeEmpty(kernel.pins.base);
  kernel.journal.close();
}
