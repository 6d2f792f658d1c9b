import { createHash } from "node:crypto";
import { join } from "node:path";
import { BpfMap, BpfProgram, LibbpfError, probeProgramType } from "libbpf-ts";
import { z } from "zod";
import type { ObjectPlace } from "./load-object.ts";
import { readJson } from "./pins.ts";

/** Name of the note beside the pinned programs. The hyphen keeps it apart from them: their names are those of functions in C. */
export const LOADED_FROM = "loaded-from";

/** Which object file the programs are of, by its hash, and which programs and maps these are: the kernel gives an id to one of them only. */
const schema = z.strictObject({
  object: z.string(),
  programs: z.record(z.string(), z.int()),
  maps: z.record(z.string(), z.int()),
});

/** The maps and programs of an object, by name. */
export interface LoadedParts {
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: ReadonlyMap<string, BpfProgram>;
}

/** By what a note knows an object file again. */
export const hashOf = (elf: Uint8Array): string => createHash("sha256").update(elf).digest("hex");

/** Text of the note. Among `maps` are those of another object that this one may use. */
export function describeLoad(object: string, { maps, programs }: LoadedParts): string {
  return JSON.stringify({ object, programs: idsOf(programs), maps: idsOf(maps) } satisfies z.output<typeof schema>);
}

/** Whether these programs are the ones that the note in their directory names. */
export function areNoted(directory: string, programs: Readonly<Record<string, number | undefined>>): boolean {
  const noted = readNote(directory)?.programs;
  return noted !== undefined && Object.entries(programs).every(([name, id]) => id !== undefined && noted[name] === id);
}

/**
 * Names of the programs in a directory when all of them are there that this kernel has loaded of that very object file; undefined
 * otherwise. Changes nothing.
 */
export function loadedPrograms(directory: string, object: string): string[] | undefined {
  const note = readNote(directory);
  if (note?.object !== object) return undefined;
  using opened = new DisposableStack();
  return (
    openAs(opened, note.programs, (name) => BpfProgram.openPinned(join(directory, name))) && Object.keys(note.programs)
  );
}

/**
 * What is pinned at a place, opened, where loading the object there would find nothing to do: the note is of this very object file, what is
 * pinned and what is shared are what it names, and the maps have the sizes that are wanted. Undefined otherwise, and where the kernel does
 * not let this process load programs any more: loading tells what is amiss.
 */
export function openLoaded(place: ObjectPlace, object: string): LoadedParts | undefined {
  const note = readNote(place.programs);
  if (note?.object !== object) return undefined;
  const own = Object.fromEntries(Object.entries(note.maps).filter(([name]) => !place.shared.has(name)));
  const shared = Object.keys(note.maps).filter((name) => place.shared.has(name));
  if (shared.some((name) => place.shared.get(name)?.info.id !== note.maps[name])) return undefined;
  using opened = new DisposableStack();
  const maps = openAs(opened, own, (name) => BpfMap.openPinned(join(place.maps, name)));
  const programs = openAs(opened, note.programs, (name) => BpfProgram.openPinned(join(place.programs, name)));
  if (!maps || !programs || !haveSizes(maps, place.maxEntries) || !probeProgramType("sched_cls").available)
    return undefined;
  opened.move();
  return { maps, programs };
}

const readNote = (directory: string) => readJson(join(directory, LOADED_FROM), schema);

const idsOf = (owners: ReadonlyMap<string, BpfMap | BpfProgram>) =>
  Object.fromEntries([...owners].map(([name, { info }]) => [name, info.id]));

const haveSizes = (maps: ReadonlyMap<string, BpfMap>, sizes: Readonly<Record<string, number>>): boolean =>
  [...maps].every(([name, { info }]) => (sizes[name] ?? info.maxEntries) === info.maxEntries);

/** Opens what has these names and ids. Undefined as soon as one is another one or cannot be opened, which loading would tell of. */
function openAs<Owner extends BpfMap | BpfProgram>(
  opened: DisposableStack,
  ids: Readonly<Record<string, number>>,
  open: (name: string) => Owner,
): ReadonlyMap<string, Owner> | undefined {
  const found = new Map<string, Owner>();
  for (const [name, id] of Object.entries(ids)) {
    const owner = opened.use(unlessRefused(() => open(name)));
    if (owner?.info.id !== id) return undefined;
    found.set(name, owner);
  }
  return found;
}

function unlessRefused<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof LibbpfError) return undefined;
    throw error;
  }
}
