import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { PluginLogger } from "@millrace/core";
import { errorCode, errorMessage } from "@millrace/core/internal";
import { BpfMap, BpfObject, BpfProgram, LibbpfError } from "libbpf-ts";
import { attempt, EbpfError, explainFailure } from "./errors.ts";
import { describeLoad, hashOf, LOADED_FROM, type LoadedParts, openLoaded } from "./loaded-from.ts";
import { makeDirectory, namesIn, readNote, writeNote } from "./pins.ts";
import type { TriedObject } from "./tried-object.ts";

export interface ObjectPlace {
  /** Path of the compiled object. */
  readonly elf: string;
  /** Directories in bpffs for what belongs to this object alone. */
  readonly maps: string;
  readonly programs: string;
  /** Maps of another object that this one uses as well, by name. */
  readonly shared: ReadonlyMap<string, BpfMap>;
  /** Sizes that the configuration decides, by map name. */
  readonly maxEntries: Readonly<Record<string, number>>;
  /** Maps that start anew when this version wants them larger than an earlier one did: their contents are telemetry. */
  readonly expendable: readonly string[];
}

/** An object as the kernel runs it: every map and program opened from its pin. */
export class LoadedObject implements Disposable {
  readonly #place: ObjectPlace;
  readonly #maps: ReadonlyMap<string, BpfMap>;
  readonly #programs: ReadonlyMap<string, BpfProgram>;
  readonly #note: string;

  /** `object`: hash of the object file. */
  constructor(place: ObjectPlace, object: string, { maps, programs }: LoadedParts) {
    this.#place = place;
    this.#maps = maps;
    this.#programs = programs;
    this.#note = describeLoad(object, { maps: new Map([...maps, ...place.shared]), programs });
  }

  readonly map = (name: string): BpfMap => found(this.#maps, name);
  readonly program = (name: string): BpfProgram => found(this.#programs, name);

  get maps(): ReadonlyMap<string, BpfMap> {
    return this.#maps;
  }

  /** Pins that somebody removed, by path, and the note of what was loaded where it does not say so any more. */
  missingPins(): string[] {
    return [...this.#unpinned().map(({ path }) => path), ...(this.#isNoted() ? [] : [this.#notePath])];
  }

  /** Pins again what lost its pin, so that the next start of the agent finds it. */
  repin(): void {
    for (const { path, owner } of this.#unpinned()) {
      makeDirectory(dirname(path));
      attempt(`pinning ${path} again`, () => replacePin(path, (fresh) => owner.pin(fresh)));
    }
    this.note();
  }

  /** Writes down of which object file this is: whoever finds it so has nothing to load. */
  note(): void {
    if (!this.#isNoted()) attempt(`noting ${this.#notePath}`, () => writeNote(this.#notePath, this.#note));
  }

  get #notePath(): string {
    return join(this.#place.programs, LOADED_FROM);
  }

  #isNoted(): boolean {
    return readNote(this.#notePath) === this.#note;
  }

  /** Both directories are read once, as for every workload that is applied: looking for each pin alone is twenty times the system calls. */
  #unpinned(): { path: string; owner: BpfMap | BpfProgram }[] {
    const missingOf = (directory: string, owners: ReadonlyMap<string, BpfMap | BpfProgram>) => {
      const present = namesIn(directory);
      return [...owners]
        .filter(([name]) => !present.has(name))
        .map(([name, owner]) => ({ path: join(directory, name), owner }));
    };
    return [...missingOf(this.#place.maps, this.#maps), ...missingOf(this.#place.programs, this.#programs)];
  }

  [Symbol.dispose](): void {
    for (const owned of [...this.#maps.values(), ...this.#programs.values()]) owned[Symbol.dispose]();
  }
}

/**
 * Loads an object, or adopts what an earlier run pinned of it. Where a note says that this is all there, of this very file, nothing is loaded:
 * the verifier takes longer than all the rest of a start. Otherwise pinned maps are used again. Pinned programs are kept when they are the
 * object's own (same tag, which is a hash of the instructions) and use the pinned maps; otherwise the pin is replaced in one step, and
 * whoever attached the old program updates the attachment when it next compares program ids. A crash between any two steps leaves what
 * the next call adopts. Where nothing is pinned, the object that `tried` has of this file is taken, which has the place's sizes.
 *
 * Throws `ERR_OBJECT_MISSING`, `ERR_OBJECT_REJECTED`, `ERR_LAYOUT_MISMATCH`, `ERR_NOT_PERMITTED`, `ERR_BPF_UNSUPPORTED`.
 */
export function loadOrAdopt(place: ObjectPlace, log: PluginLogger, tried?: TriedObject): LoadedObject {
  if (!existsSync(place.elf)) {
    throw new EbpfError(
      "ERR_OBJECT_MISSING",
      `${place.elf} is missing: build it with \`make -C bpf\`, or install the package again`,
    );
  }
  for (const directory of [place.maps, place.programs]) attempt(`making ${directory}`, () => makeDirectory(directory));
  const elf = attempt(`reading ${place.elf}`, () => readFileSync(place.elf));
  const hash = hashOf(elf);
  const loaded = attempt(`adopting ${place.programs}`, () => openLoaded(place, hash));
  if (loaded !== undefined) return new LoadedObject(place, hash, loaded);
  const isNew = [place.maps, place.programs].every((directory) => namesIn(directory).size === 0);
  const taken = isNew ? tried?.take(hash) : undefined;
  using object = taken ?? attempt(`opening ${place.elf}`, () => BpfObject.open(elf));
  // Names with a dot are data sections, which are part of the code.
  const declared = object.mapSpecs.map(({ name }) => name).filter((name) => !name.includes("."));
  const own = declared.filter((name) => !place.shared.has(name));
  const outgrown = taken === undefined ? loadWith(object, place, declared, own, log) : new Set<string>();
  pinMaps(object, place, own, outgrown, log);
  pinPrograms(object, place, log);
  const parts = openPinned(place, own, [...object.programs.keys()]);
  const adopted = new LoadedObject(place, hash, parts);
  adopted.note();
  return adopted;
}

/** Loads it with the maps that are there, shared and pinned; what has outgrown its pinned map is returned. */
function loadWith(
  object: BpfObject,
  place: ObjectPlace,
  declared: readonly string[],
  own: readonly string[],
  log: PluginLogger,
): Set<string> {
  for (const name of declared) {
    const map = place.shared.get(name);
    if (!map) continue;
    // How large it is was decided when its owner made it.
    object.setMaxEntries(name, map.info.maxEntries);
    reuse(object, name, map);
  }
  const outgrown = reusePinned(object, place, own, log);
  load(object, place.elf);
  return outgrown;
}

/** Uses the pinned maps; those whose size the configuration changed are returned, and made anew. */
function reusePinned(
  object: BpfObject,
  { maps, maxEntries, expendable }: ObjectPlace,
  own: readonly string[],
  log: PluginLogger,
): Set<string> {
  const outgrown = new Set<string>();
  for (const name of own) {
    const declared = object.mapSpecs.find((spec) => spec.name === name);
    const wanted = maxEntries[name] ?? (expendable.includes(name) ? declared?.maxEntries : undefined);
    if (wanted !== undefined) object.setMaxEntries(name, wanted);
    const pin = join(maps, name);
    if (!existsSync(pin)) continue;
    using pinned = attempt(`opening ${pin}`, () => BpfMap.openPinned(pin));
    const { maxEntries: size } = pinned.info;
    if (wanted !== undefined && wanted !== size) {
      if (expendable.includes(name)) {
        outgrown.add(name);
        continue;
      }
      const held = [...pinned.keys()].length;
      if (held <= wanted) {
        outgrown.add(name);
        continue;
      }
      log.warn({ map: name, size, wanted, held }, "a map holds more than its new size would, so it keeps the old one");
      object.setMaxEntries(name, size);
    }
    reuse(object, name, pinned);
  }
  return outgrown;
}

function reuse(object: BpfObject, name: string, map: BpfMap): void {
  try {
    object.reuseMap(name, map);
  } catch (error) {
    if (errorCode(error) !== "ERR_MAP_MISMATCH") throw explainFailure(`reusing the map ${name}`, error);
    throw new EbpfError(
      "ERR_LAYOUT_MISMATCH",
      `${errorMessage(error)}: another build of the backend pinned it under this layout version; run \`millrace uninstall\` once`,
      { cause: error },
    );
  }
}

function load(object: BpfObject, elf: string): void {
  try {
    object.load();
  } catch (error) {
    const code = errorCode(error);
    if (!(error instanceof LibbpfError) || code === "EPERM" || code === "ENOSYS")
      throw explainFailure(`loading ${elf}`, error);
    throw new EbpfError(
      "ERR_OBJECT_REJECTED",
      `the kernel refused ${elf}: ${error.message}. Linux 5.10 or newer is needed; the verifier's whole log is in the cause`,
      { cause: error },
    );
  }
}

function pinMaps(
  object: BpfObject,
  { maps, expendable }: ObjectPlace,
  own: readonly string[],
  outgrown: ReadonlySet<string>,
  log: PluginLogger,
): void {
  for (const name of own) {
    const pin = join(maps, name);
    if (outgrown.has(name)) {
      using old = BpfMap.openPinned(pin);
      const map = object.map(name);
      if (!expendable.includes(name)) for (const [key, value] of old.entries()) map.update(key, value);
      replacePin(pin, (fresh) => map.pin(fresh));
      log.info({ map: name, from: old.info.maxEntries, to: map.info.maxEntries }, "resized a map");
    } else if (!existsSync(pin)) {
      attempt(`pinning the map ${name}`, () => replacePin(pin, (fresh) => object.map(name).pin(fresh)));
    }
  }
}

function pinPrograms(object: BpfObject, { programs }: ObjectPlace, log: PluginLogger): void {
  for (const [name, program] of object.programs) {
    const pin = join(programs, name);
    if (existsSync(pin)) {
      using pinned = BpfProgram.openPinned(pin);
      if (isSame(pinned, program)) continue;
      log.info({ program: name, from: pinned.info.tag, to: program.info.tag }, "replacing a program");
    }
    attempt(`pinning the program ${name}`, () => replacePin(pin, (fresh) => program.pin(fresh)));
  }
}

/** Equal instructions on equal maps. The tag leaves maps out (kernel/bpf/core.c, bpf_prog_calc_tag()). */
function isSame(a: BpfProgram, b: BpfProgram): boolean {
  const key = ({ info }: BpfProgram) => `${info.tag} ${[...info.mapIds].sort((x, y) => x - y).join()}`;
  return key(a) === key(b);
}

function replacePin(pin: string, pinTo: (path: string) => void): void {
  const fresh = `${pin}-new`;
  rmSync(fresh, { force: true });
  pinTo(fresh);
  renameSync(fresh, pin);
}

function openPinned(place: ObjectPlace, maps: readonly string[], programs: readonly string[]): LoadedParts {
  return {
    maps: new Map(maps.map((name) => [name, BpfMap.openPinned(join(place.maps, name))])),
    programs: new Map(programs.map((name) => [name, BpfProgram.openPinned(join(place.programs, name))])),
  };
}

function found<T>(objects: ReadonlyMap<string, T>, name: string): T {
  const object = objects.get(name);
  if (object === undefined)
    throw new EbpfError("ERR_OBJECT_MISSING", `the BPF object has no "${name}": build it again with \`make -C bpf\``);
  return object;
}
