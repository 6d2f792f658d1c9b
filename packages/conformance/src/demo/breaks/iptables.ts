import type { Break } from "./break.ts";

/** What can be broken of the iptables backend's. */
export function iptablesBreaks(_flavour: "nft" | "legacy"): readonly Break[] {
  return [];
}
