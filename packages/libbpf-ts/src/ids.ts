import { KIND, type Kind, native } from "./native.ts";

/**
 * Ids of all maps that the kernel has now, whoever holds them, ascending: also what no file, no interface and no process that can be seen
 * from here leads to. What is made or freed meanwhile may be among them or not. Needs CAP_SYS_ADMIN, as the other two.
 * @throws {LibbpfError} EPERM
 */
export function mapIds(): number[] {
  return ids("map");
}

/** Ids of all loaded programs. */
export function programIds(): number[] {
  return ids("program");
}

/** Ids of all links. */
export function linkIds(): number[] {
  return ids("link");
}

function ids(kind: Kind): number[] {
  const found: number[] = [];
  for (let id = native.nextId(KIND[kind], 0); id !== undefined; id = native.nextId(KIND[kind], id)) found.push(id);
  return found;
}
