export interface SavedSet {
  readonly name: string;
  /** For instance `hash:net,iface`. */
  readonly type: string;
  /** Everything behind the type as printed: `family inet hashsize 1024 maxelem 65536 timeout 0 …`. */
  readonly options: string;
  readonly entries: readonly SavedEntry[];
}

export interface SavedEntry {
  /** For instance `198.18.0.1,eth0`. */
  readonly element: string;
  /** Everything behind the element as printed: `timeout 4`, `comment "x"`; usually empty. */
  readonly options: string;
}

const LINE = /^(create|add) (\S+) (\S+) ?(.*)$/;

/** Reads what `ipset save` prints. Throws a SyntaxError for any other line. */
export function parseIpsetSave(text: string): ReadonlyMap<string, SavedSet> {
  const sets = new Map<string, SavedSet & { entries: SavedEntry[] }>();
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const [, verb, name, subject, options = ""] = LINE.exec(line) ?? [];
    const set = name === undefined ? undefined : sets.get(name);
    if (verb === "create" && name !== undefined && subject !== undefined) {
      sets.set(name, { name, type: subject, options: options.trim(), entries: [] });
    } else if (verb === "add" && set !== undefined && subject !== undefined) {
      set.entries.push({ element: subject, options: options.trim() });
    } else {
      throw new SyntaxError(`line ${index + 1} of ipset save is unexpected: ${line}`);
    }
  }
  return sets;
}
