import type { Snapshot } from "../snapshot/snapshot.ts";

/**
 * A snapshot without what the kernel gives out anew when an object is made once more, and without orders that mean nothing to it. Two nodes whose objects
 * were made in another order, or once more often, have the same.
 */
export function normalForm(state: Snapshot): Snapshot {
  return new Map([...state].map(([title, lines]) => [title, normalLines(title, lines)]));
}

function normalLines(title: string, lines: readonly string[]): readonly string[] {
  if (title.endsWith(": links and addresses")) return lines.map(withoutNumber);
  return title.endsWith(": sets") ? sortedSets(lines) : lines;
}

/** Of our own devices only: the number of anybody else's link is to stay (net/core/dev.c, dev_index_reserve() counts up). */
const withoutNumber = (line: string): string => line.replace(/^\d+(?=: millrace)/, "#");

/**
 * The kernel lists sets by the slot that was free when they were made, and their members by hash and time (net/netfilter/ipset/ip_set_core.c, ip_set_create();
 * ipset(8) sorts some types only). In a list of sets the order is that in which they are looked at.
 */
function sortedSets(lines: readonly string[]): string[] {
  const nameOf = (line: string): string => line.split(" ")[1] ?? "";
  const sets = Map.groupBy(lines, nameOf);
  return [...sets.keys()].sort().flatMap((name) => {
    const ofSet = sets.get(name) ?? [];
    const created = ofSet.filter((line) => line.startsWith("create "));
    const members = ofSet.filter((line) => !line.startsWith("create "));
    const isList = created.some((line) => line.split(" ")[2] === "list:set");
    return [...created, ...(isList ? members : members.sort())];
  });
}
