/** Whatever has a time: RFC 3339 in UTC with milliseconds, so that times compare as texts. */
interface Timed {
  readonly time: string;
}

/**
 * Several sequences as one, by time; of equal times the earlier sequence goes first. Each stays in its own order, whatever its clock did
 * meanwhile. Reads no further ahead than one item of each.
 */
export function* mergeByTime<Item extends Timed>(sequences: readonly Iterable<Item>[]): Generator<Item> {
  const heads: { item: Item; rest: Iterator<Item> }[] = [];
  for (const sequence of sequences) {
    const rest = sequence[Symbol.iterator]();
    const first = rest.next();
    if (first.done !== true) heads.push({ item: first.value, rest });
  }
  while (heads.length > 0) {
    const head = heads.reduce((first, other) => (other.item.time < first.item.time ? other : first));
    yield head.item;
    const next = head.rest.next();
    if (next.done === true) heads.splice(heads.indexOf(head), 1);
    else head.item = next.value;
  }
}
