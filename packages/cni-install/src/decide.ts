import { PLUGIN_TYPE, type PluginEntry } from "./entry.ts";
import { type Candidate, type ConfigFile, isReadable, isValid, type Ownership } from "./files/config-directory.ts";
import { listOfOne, withEntry, withoutEntry } from "./network/edit-list.ts";
import { MAX_CONFIG_BYTES } from "./network/read-network.ts";
import { unsuitable } from "./network/suitability.ts";
import type { ByteText } from "./network/text.ts";
import { defaultNetworkOf, firstPrimary, isMultus, isPrimary, OWN_NAME, type Primary } from "./primary.ts";

/** A file as it has to be, and what that makes of what is there. */
export interface Target extends Ownership {
  readonly kind: "edited" | "converted" | "own";
  readonly name: string;
  readonly text: ByteText;
  /** What the journal has to know: the file without our doing; undefined: it would not be there. */
  readonly before: Omit<ConfigFile, "found" | "isLink"> | undefined;
  /** The network that it is, or is a copy of. */
  readonly primary: { readonly file: string; readonly network: string };
}

export type Decision =
  /** No runtime would find a network here: there is nothing to do yet. */
  | { readonly kind: "waiting"; readonly reason: string }
  /** The network that a runtime would use cannot take our entry. */
  | { readonly kind: "refused"; readonly file: string; readonly reason: string }
  | { readonly kind: "wanted"; readonly target: Target };

/** What has to be where, from what is there. */
export function decide(candidates: readonly Candidate[], ownConfig: boolean, entry: PluginEntry): Decision {
  const first = firstPrimary(candidates);
  if (first === undefined) return { kind: "waiting", reason: "there is no valid network configuration yet" };
  const place = isMultus(first) ? (defaultNetworkOf(first, candidates) ?? first) : first;
  const reason = unsuitable(place.found) ?? (ownConfig ? notToBeCopied(first) : notToBeEdited(place, first));
  if (reason !== undefined) return { kind: "refused", file: place.name, reason };
  const target = ownConfig ? ownList(place, entry) : inPlace(place, candidates, entry);
  if (target === undefined) {
    const cause = "no name is left for the list that it would become; rename it, or set install.ownConfig";
    return { kind: "refused", file: place.name, reason: cause };
  }
  if (target.text.length > MAX_CONFIG_BYTES) {
    const cause = `with our entry it would be larger than ${MAX_CONFIG_BYTES} bytes, which containerd does not read`;
    return { kind: "refused", file: place.name, reason: cause };
  }
  return { kind: "wanted", target };
}

function notToBeCopied(first: Primary): string | undefined {
  if (!isMultus(first)) return undefined;
  return `Multus is first (${first.name}), and would not be asked any more with a list of ours before it; unset install.ownConfig`;
}

function notToBeEdited({ isLink, found, name }: Primary, first: Primary): string | undefined {
  if (isLink) return "it is a symbolic link, which editing would replace by a file; set install.ownConfig";
  if (found.kind === "list" || name === first.name) return undefined;
  return `it is a single plugin, and Multus (${first.name}) names it by this file; make it a list, under a name that Multus knows`;
}

const asList = ({ found, text }: Primary): ByteText => (found.kind === "list" ? withoutEntry(text) : listOfOne(text));

function ownList(primary: Primary, entry: PluginEntry): Target {
  const { mode, uid, gid } = primary;
  const text = withEntry(asList(primary), entry);
  return { kind: "own", name: OWN_NAME, text, before: undefined, mode, uid, gid, primary: named(primary) };
}

function inPlace(primary: Primary, candidates: readonly Candidate[], entry: PluginEntry): Target | undefined {
  const { name, mode, uid, gid } = primary;
  const rest = { mode, uid, gid, primary: named(primary) };
  if (primary.found.kind === "list") {
    const before = { name, text: withoutEntry(primary.text), mode, uid, gid };
    return { kind: "edited", name, text: withEntry(primary.text, entry), before, ...rest };
  }
  const listName = nameOfList(primary, candidates);
  if (listName === undefined) return undefined;
  const before = { name, text: primary.text, mode, uid, gid };
  return { kind: "converted", name: listName, text: withEntry(listOfOne(primary.text), entry), before, ...rest };
}

const named = ({ name, found }: Primary) => ({ file: name, network: found.name });

/** `10-x.conf` becomes `10-x.conflist`, or `10-x.conf.conflist` where that is taken or would not be the first any more. */
function nameOfList({ name }: Primary, candidates: readonly Candidate[]): string | undefined {
  const others = candidates.filter((other) => other.name !== name && other.name !== OWN_NAME);
  const stem = name.slice(0, name.lastIndexOf("."));
  return [`${stem}.conflist`, `${name}.conflist`].find((listName) =>
    others.every((other) =>
      other.name === listName ? isOurConversion(other) : !isPrimary(other) || listName < other.name,
    ),
  );
}

/** The list that we made of an earlier version of the file, which its owner has written again since. */
function isOurConversion(other: Candidate): boolean {
  return isReadable(other) && isValid(other.found) && other.found.types.includes(PLUGIN_TYPE);
}
