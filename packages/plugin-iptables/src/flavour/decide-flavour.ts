import type { Flavour } from "../commands/iptables-names.ts";
import { IptablesError } from "../errors.ts";
import type { FlavourUse } from "./flavour-use.ts";

export interface FlavourChoice {
  readonly flavour: Flavour;
  /** For people: a sentence's end after "nft, because …". */
  readonly reason: string;
}

/** What speaks for a flavour, strongest first. Each is asked only when those before it do not decide. */
const ARGUMENTS: readonly ((use: FlavourUse) => string | undefined)[] = [
  // A redirection that exists goes on where it is: the choice must not change from one start to the next.
  ({ ours }) => (ours > 0 ? "our own redirection is in it" : undefined),
  ({ hints }) => (hints.length > 0 ? `the kubelet tells so (chain ${hints.join(", ")})` : undefined),
  ({ chains }) => (chains.length > 0 ? `the cluster's network uses it (chains ${few(chains)})` : undefined),
  ({ rules }) => (rules > 0 ? `it is the one in use (rules: ${rules})` : undefined),
];

/**
 * Chooses between two flavours by what was found. Where an argument speaks for both, the one with more rules of others is taken; where
 * that is no difference, the next argument is asked; where none decides, nft, which every distribution has come to.
 *
 * Throws `ERR_NO_FLAVOUR` when neither can be used.
 */
export function decideFlavour(nft: FlavourUse, legacy: FlavourUse): FlavourChoice {
  if (nft.problem !== undefined && legacy.problem !== undefined) {
    throw new IptablesError(
      "ERR_NO_FLAVOUR",
      `iptables works in neither flavour here. nft: ${nft.problem}. legacy: ${legacy.problem}. ` +
        "Load or build nf_tables with nft_compat, or ip_tables with the tables raw, mangle, nat and filter, or use redirectMode ebpf",
    );
  }
  if (nft.problem !== undefined) return { flavour: "legacy", reason: `nft does not work: ${nft.problem}` };
  if (legacy.problem !== undefined) return { flavour: "nft", reason: `legacy does not work: ${legacy.problem}` };
  for (const argument of ARGUMENTS) {
    const [forNft, forLegacy] = [argument(nft), argument(legacy)];
    if (forNft !== undefined && forLegacy === undefined) return { flavour: "nft", reason: forNft };
    if (forLegacy !== undefined && forNft === undefined) return { flavour: "legacy", reason: forLegacy };
    if (forNft === undefined || nft.rules === legacy.rules) continue;
    const [flavour, reason] = nft.rules > legacy.rules ? (["nft", forNft] as const) : (["legacy", forLegacy] as const);
    const counts = `nft has ${nft.rules} rules of others, legacy ${legacy.rules}`;
    return { flavour, reason: `${reason ?? ""}, as it does for the other, but ${counts}` };
  }
  return { flavour: "nft", reason: "nobody uses either, and nft works" };
}

function few(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
