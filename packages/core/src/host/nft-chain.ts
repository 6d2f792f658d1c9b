import { createHash } from "node:crypto";

/** A chain as it is wanted. */
export interface NftChain {
  readonly name: string;
  /** Of a base chain: `filter hook ingress device "veth1" priority 0`. Its policy is to accept. */
  readonly hook?: string;
  /** Whose it is, for {@link NftHeldChain.owner}: without spaces and quotes, at most 100 characters. */
  readonly owner?: string;
  /** Both as `nft -nn list table` prints them: what it prints in other words (`tcp flags syn`) is changed for as long as it stands there. */
  readonly rules: readonly string[];
}

/** What a chain's hook and rules add up to, 16 hexadecimal digits. */
export const sumOf = ({ hook = "", rules }: Pick<NftChain, "hook" | "rules">): string =>
  createHash("sha256")
    .update([hook, ...rules].join("\n"))
    .digest("hex")
    .slice(0, 16);
