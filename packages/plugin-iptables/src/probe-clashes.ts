import type { Feature } from "@millrace/core";
import { errorMessage } from "@millrace/core/internal";
import type { Family } from "linux-ts";
import { describeClash } from "./clash/clash.ts";
import { findClashes } from "./clash/find-clashes.ts";
import { wantedOf } from "./clash/wanted.ts";
import type { IptablesConfig } from "./config.ts";
import { OUR_NAMES } from "./our-names.ts";

/** Whether the numbers and names of the configuration are free on this node: opening refuses for the same, and says the same. */
export async function probeClashes(
  config: IptablesConfig,
  families: readonly Family[],
  signal: AbortSignal,
): Promise<Feature> {
  const feature = {
    name: "clashes",
    description: "marks, priorities, tables and names that nobody else uses here",
    required: true,
  };
  try {
    const found = await findClashes(wantedOf(config, OUR_NAMES), { families, signal });
    const refused = found.some(({ setting }) => setting !== undefined);
    return { ...feature, available: !refused, detail: found.map(describeClash).join(" ") || "none" };
  } catch (error) {
    signal.throwIfAborted();
    // What keeps us from looking is among the other features; opening looks again, and refuses then.
    return { ...feature, required: false, available: false, detail: `cannot be looked for: ${errorMessage(error)}` };
  }
}
