import { Map as ImmutableMap, Set as ImmutableSet } from "immutable";

/** From a key to the identities that share it. A key without identities is absent, so an index never outgrows what it indexes. */
export type Index<Key extends string | number = string> = ImmutableMap<Key, ImmutableSet<string>>;

export function emptyIndex<Key extends string | number = string>(): Index<Key> {
  return ImmutableMap<Key, ImmutableSet<string>>();
}

export function addTo<Key extends string | number>(index: Index<Key>, key: Key, member: string): Index<Key> {
  return index.set(key, (index.get(key) ?? ImmutableSet<string>()).add(member));
}

export function removeFrom<Key extends string | number>(index: Index<Key>, key: Key, member: string): Index<Key> {
  const rest = index.get(key)?.remove(member);
  if (rest === undefined) return index;
  return rest.size === 0 ? index.remove(key) : index.set(key, rest);
}

/** The members of one key, sorted: iteration that ends up in a decision must not depend on insertion order. */
export function membersOf<Key extends string | number>(index: Index<Key>, key: Key): string[] {
  const members = index.get(key)?.toArray() ?? [];
  return members.length < 2 ? members : members.sort();
}
