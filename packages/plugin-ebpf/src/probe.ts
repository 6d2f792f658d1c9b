import type { PluginContext, Probe } from "@millrace/core";
import type { EbpfConfig } from "./config.ts";
export function probe(_context: PluginContext<EbpfConfig>): Probe {
  return { features: [], capable: true, summary: "" };
}
