import { errorCode } from "@millrace/core/internal";
import { BpfMap, BpfProgram } from "libbpf-ts";
import { ACCELERATION_PROGRAMS } from "./acceleration/layout.ts";
import { isOfShadow, PROGRAMS, SHADOW_PROGRAMS } from "./layout.ts";

/** Every program of ours counts its verdicts here (bpf/include/verdict.h). */
const COUNTERS = "counters";
const NAMES: readonly string[] = [...PROGRAMS, ...SHADOW_PROGRAMS, ...ACCELERATION_PROGRAMS];

/**
 * Whether a program is ours, by its name and a map that it uses: Istio's own eBPF redirection had an `app_inbound` and an `app_outbound`
 * too (istio 1.18 and 1.20, tools/istio-cni-ebpf), and no such map. Undefined for one that is gone by now.
 */
export function ourProgram(id: number): string | undefined {
  try {
    using program = BpfProgram.byId(id);
    const { name, mapIds } = program.info;
    const isOurs = NAMES.includes(name) && mapIds.some((map) => mapName(map) === COUNTERS);
    return isOurs ? name : undefined;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether it is one of a shadow: it ends no chain and changes no packet, so it is in nobody's way. */
export function isShadowProgram(id: number): boolean {
  const name = ourProgram(id);
  return name !== undefined && isOfShadow(name);
}

function mapName(id: number): string | undefined {
  try {
    using map = BpfMap.byId(id);
    return map.info.name;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
