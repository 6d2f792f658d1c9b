import type { Mode } from "../mode.ts";
import { ebpfMode } from "./ebpf.ts";
import { iptablesMode } from "./iptables.ts";

/** The mode that is asked for; undefined when there is none such. Without a wish the agent chooses, which on this machine is eBPF. */
export function chosenMode(mode: string | undefined, flavour: string | undefined): Mode | undefined {
  if (mode === "iptables" && (flavour === undefined || flavour === "nft" || flavour === "legacy")) {
    return iptablesMode(flavour ?? "nft");
  }
  if (flavour !== undefined || (mode !== undefined && mode !== "ebpf")) return undefined;
  return ebpfMode(mode ?? "auto");
}
