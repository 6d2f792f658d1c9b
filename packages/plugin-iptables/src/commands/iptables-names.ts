import type { Family } from "linux-ts";

/** The two sets of iptables programs (xtables-nft(8), xtables-legacy(8)). Each sees only its own rules; packets pass both. */
export const flavours = ["nft", "legacy"] as const;
export type Flavour = (typeof flavours)[number];

/** The tables that packets of both families pass. */
export const tableNames = ["raw", "mangle", "nat", "filter"] as const;
export type TableName = (typeof tableNames)[number];

/** `iptables-nft`, `ip6tables-legacy-save`, … : names that every distribution has, whatever its `iptables` is linked to. */
export function iptablesProgram(flavour: Flavour, family: Family, verb?: "save" | "restore"): string {
  return [family === 4 ? "iptables" : "ip6tables", flavour, verb].filter(Boolean).join("-");
}
