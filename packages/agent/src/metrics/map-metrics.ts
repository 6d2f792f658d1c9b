import { Gauge, type Registry } from "prom-client";
import type { Refresh } from "./metrics.ts";

/** How much room the backend's tables have, as the kernel was last read. */
export function mapMetrics(register: Registry): Refresh {
  const labelNames = ["map"] as const;
  const registers = [register];
  const entries = new Gauge({
    name: "millrace_map_entries",
    help: "Entries in a table of the kernel that refuses the next one when it is full; with iptables, in a set.",
    labelNames,
    registers,
  });
  const max = new Gauge({
    name: "millrace_map_entries_max",
    help: "Entries that the table has room for.",
    labelNames,
    registers,
  });
  return ({ status: { maps } }) => {
    entries.reset();
    max.reset();
    for (const [map, fill] of Object.entries(maps)) {
      entries.set({ map }, fill.entries);
      max.set({ map }, fill.max);
    }
  };
}
