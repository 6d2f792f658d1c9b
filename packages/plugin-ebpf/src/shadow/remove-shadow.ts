import { existsSync } from "node:fs";
import type { PluginContext } from "@millrace/core";
import { detachClsact } from "libbpf-ts";
import { clsactLinks, links, tcFilters } from "linux-ts";
import { filterProgram } from "../attach-clsact.ts";
import type { EbpfConfig } from "../config.ts";
import { explainFailure } from "../errors.ts";
import { chooseHooks } from "../hooks.ts";
import { isOfShadow } from "../layout.ts";
import { isBpffs, Pins, removePins } from "../pins.ts";
import { COUNTING, workloadHooks } from "../workload-hooks.ts";
import { shadowConfig, shadowPins } from "./shadow-pins.ts";

/**
 * Takes away everything that shadows have left on this node, by whichever run: programs at interfaces, pins, and filters that no pin tells of.
 * Loads nothing. Returns what it was.
 */
export async function removeShadow({
  config,
  host,
}: Pick<PluginContext<EbpfConfig>, "config" | "host">): Promise<string[]> {
  const pins = shadowPins(host.bpffs, config);
  try {
    const removed = isBpffs(host.bpffs) && existsSync(pins.base) ? await removePinned(pins, config, host.bpffs) : [];
    return [...removed, ...removeStray()];
  } catch (error) {
    throw explainFailure("removing a shadow", error);
  }
}

async function removePinned(pins: Pins, config: EbpfConfig, bpffs: string): Promise<string[]> {
  const owner = { programs: COUNTING, other: new Pins(bpffs, config.pins) };
  const names = new Map(links().map(({ index, name }) => [index, name]));
  const workloads = pins.workloads();
  // What one of the two modes cannot do here it has not done either.
  const hooks = workloads.length === 0 ? undefined : chooseHooks({ ...shadowConfig(config), attach: "auto" });
  for (const pin of workloads) {
    const ifName = names.get(pin.ifindex) ?? `interface ${pin.ifindex}`;
    for (const hook of workloadHooks(owner, pin, ifName)) await hooks?.detach(hook);
  }
  removePins(pins.base);
  return [...workloads.map(({ uid }) => `shadow of workload ${uid}`), `pins ${pins.base}`];
}

/** Filters outlive the pins. They are told by their names alone: nobody else's program is called that. */
function removeStray(): string[] {
  const withQdisc = clsactLinks();
  return links()
    .filter(({ index }) => withQdisc.has(index))
    .flatMap(({ index: ifindex, name }) =>
      (["ingress", "egress"] as const).flatMap((direction) =>
        tcFilters({ ifindex, direction })
          .filter((filter) => isOfShadow(filterProgram(filter) ?? ""))
          .map(({ priority, handle }) => {
            detachClsact({ ifindex, direction, priority, handle });
            return `shadow's filter on ${name} ${direction}`;
          }),
      ),
    );
}
