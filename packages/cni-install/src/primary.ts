import { basename } from "node:path";
import { PLUGIN_TYPE } from "./entry.ts";
import { type Candidate, type ConfigFile, isReadable, isValid } from "./files/config-directory.ts";
import { member, parseObject } from "./network/parse.ts";
import type { Network } from "./network/read-network.ts";

/** The file that `ownConfig` writes: before whatever a primary calls its own. */
export const OWN_NAME = "00-millrace.conflist";

/** A file of somebody else's that a runtime would get a network from. */
export type Primary = ConfigFile & { readonly found: Network };

/** A list of nothing but our entry is what somebody left of one; no runtime gets a network from it. */
export const isPrimary = (candidate: Candidate): candidate is Primary =>
  candidate.name !== OWN_NAME &&
  isReadable(candidate) &&
  isValid(candidate.found) &&
  !(candidate.found.types.length > 0 && candidate.found.types.every((type) => type === PLUGIN_TYPE));

/** The file that a runtime would take without us: the first that is valid. */
export const firstPrimary = (candidates: readonly Candidate[]): Primary | undefined => candidates.find(isPrimary);

/** Multus' plugin, and the one that hands over to its daemon. */
const MULTUS: ReadonlySet<string> = new Set(["multus", "multus-shim"]);

/** What Multus writes its own configuration to, whatever follows, is never its default network (multus-cni, thin_entrypoint). */
const MULTUS_FILE = "00-multus.conf";

export const isMultus = ({ found }: Primary): boolean => found.types.some((type) => MULTUS.has(type));

/**
 * The file of the default network that Multus hands pods on to: the one it names (`clusterNetwork`), else the first that is not its own,
 * which it has made its `delegates` of. Undefined when that is in another directory.
 *
 * Our entry belongs there and not beside Multus: its own file it removes when it ends, and a copy of that with our entry would stay.
 */
export function defaultNetworkOf(multus: Primary, candidates: readonly Candidate[]): Primary | undefined {
  const others = candidates
    .filter(isPrimary)
    .filter(({ name }) => !name.startsWith(MULTUS_FILE) && name !== multus.name);
  const root = parseObject(multus.text);
  const named: unknown = root && member(root, "clusterNetwork")?.value;
  if (typeof named !== "string") return others[0];
  return others.find(({ name, found }) => name === basename(named) || found.name === named);
}
