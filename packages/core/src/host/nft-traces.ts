import { nftTables } from "linux-ts";
import type { NamespacePlace, Trace } from "../backend/traces.ts";

/**
 * Tables of nftables in a namespace that a name tells to be ours, for `traces`: of one family as `inet millrace`, of whatever family as `millrace`. The kernel is asked: nft(8) need not be
 * installed; none where it has no nf_tables. Throws what the kernel says (`EPERM`).
 */
export function nftTableTraces({ fd, name: where }: NamespacePlace, table: string): Trace[] {
  return (nftTables(fd) ?? [])
    .filter((found) => found === table || found.split(" ")[1] === table)
    .map((what) => ({ kind: "nft table", where, what, mark: "name" }));
}
