import { ownError } from "./errors.ts";
import { HANDLE } from "./fd-owner.ts";
import { MAP_TYPES, type MapType, nameOf, PROGRAM_TYPES, type ProgramType, type UnknownType } from "./kernel-names.ts";
import { BpfMap } from "./map.ts";
import { mapMismatch } from "./map-mismatch.ts";
import { native, type ObjectHandle } from "./native.ts";
import { BpfProgram } from "./program.ts";

/** A map as the ELF file declares it, or as it was changed since. Data sections are maps too: `<object>.rodata`, … */
export interface MapSpec {
  readonly name: string;
  readonly type: MapType | UnknownType;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
}

/** A program as the ELF file declares it. */
export interface ProgramSpec {
  /** Name of the function. */
  readonly name: string;
  /** ELF section, from which libbpf takes type and attach type: `tc`, `sk_lookup`, `xdp`, … */
  readonly section: string;
  readonly type: ProgramType | UnknownType;
  /** Whether load() loads it. */
  readonly autoload: boolean;
}

/**
 * A compiled BPF object: open it, adapt it, load it into the kernel. It owns its maps and programs; disposing closes them, and
 * what is not pinned or attached goes.
 */
export class BpfObject implements Disposable {
  readonly #handle: ObjectHandle;
  readonly #maps = new Map<string, BpfMap>();
  readonly #programs = new Map<string, BpfProgram>();
  #state: "open" | "loaded" | "failed" = "open";

  private constructor(handle: ObjectHandle) {
    this.#handle = handle;
  }

  /**
   * Reads a compiled object; the kernel learns nothing of it yet.
   * @param elf path of the file, or its bytes (which are copied)
   * @throws {LibbpfError} ENOENT, LIBBPF_FORMAT (no ELF file of BPF), LIBBPF_ENDIAN, ENOTSUP (a section libbpf does not know)
   */
  static open(elf: string | Uint8Array): BpfObject {
    return new BpfObject(typeof elf === "string" ? native.objectOpenFile(elf) : native.objectOpenMem(elf, "object"));
  }

  /** The maps that the object declares, before and after load(). */
  get mapSpecs(): MapSpec[] {
    return native.objectMaps(this.#handle).map((map) => ({ ...map, type: nameOf(MAP_TYPES, map.type) }));
  }

  /** The programs that the object declares, before and after load(). */
  get programSpecs(): ProgramSpec[] {
    return native.objectPrograms(this.#handle).map((spec) => ({ ...spec, type: nameOf(PROGRAM_TYPES, spec.type) }));
  }

  /**
   * The loaded maps by name.
   * @throws {LibbpfError} ERR_NOT_LOADED
   */
  get maps(): ReadonlyMap<string, BpfMap> {
    this.#expectLoaded();
    return this.#maps;
  }

  /**
   * The loaded programs by name, without those whose autoload is off.
   * @throws {LibbpfError} ERR_NOT_LOADED
   */
  get programs(): ReadonlyMap<string, BpfProgram> {
    this.#expectLoaded();
    return this.#programs;
  }

  /** @throws {LibbpfError} ERR_NOT_FOUND, ERR_NOT_LOADED */
  map(name: string): BpfMap {
    return found("map", name, this.maps.get(name), this.maps.keys());
  }

  /** @throws {LibbpfError} ERR_NOT_FOUND, ERR_NOT_LOADED */
  program(name: string): BpfProgram {
    return found("program", name, this.programs.get(name), this.programs.keys());
  }

  /** Before load(): how many entries a map gets. @throws {LibbpfError} ERR_NOT_FOUND, ERR_ALREADY_LOADED */
  setMaxEntries(map: string, n: number): void {
    this.#expectOpen();
    this.#mapSpec(map);
    native.objectSetMaxEntries(this.#handle, map, n);
  }

  /**
   * Before load(): takes an existing map in place of the declared one. Both stay independent: `existing` may be disposed then.
   * @throws {LibbpfError} ERR_MAP_MISMATCH (type, sizes, entries or flags differ), ERR_NOT_FOUND, ERR_ALREADY_LOADED, ERR_CLOSED
   */
  reuseMap(map: string, existing: BpfMap): void {
    this.#expectOpen();
    const differences = mapMismatch(this.#mapSpec(map), existing.info);
    if (differences.length > 0) {
      throw ownError(
        "ERR_MAP_MISMATCH",
        `map ${map}: the existing map (id ${existing.info.id}) differs: ${differences.join("; ")}`,
      );
    }
    native.objectReuseMap(this.#handle, map, existing[HANDLE]);
  }

  /** Before load(): whether load() loads a program. @throws {LibbpfError} ERR_NOT_FOUND, ERR_ALREADY_LOADED */
  setAutoload(program: string, on: boolean): void {
    this.#expectOpen();
    const specs = this.programSpecs;
    found(
      "program",
      program,
      specs.find(({ name }) => name === program),
      specs.map(({ name }) => name),
    );
    native.objectSetAutoload(this.#handle, program, on);
  }

  /**
   * The bytes that a data section (`.rodata`, `.data`, `.bss`: see {@link mapSpecs}) starts with, as a copy; undefined for other
   * maps.
   * @throws {LibbpfError} ERR_NOT_FOUND
   */
  initialValue(map: string): Uint8Array | undefined {
    this.#mapSpec(map);
    return native.objectInitialValue(this.#handle, map);
  }

  /**
   * Before load(): sets the bytes of a data section, for instance constants in `.rodata`; the verifier then drops code that they
   * make dead.
   * @param value exactly as long as the section
   * @throws {LibbpfError} ERR_NOT_FOUND, ERR_ALREADY_LOADED
   */
  setInitialValue(map: string, value: Uint8Array): void {
    this.#expectOpen();
    this.#mapSpec(map);
    native.objectSetInitialValue(this.#handle, map, value);
  }

  /**
   * Creates the maps and loads the programs. A refused program leaves nothing behind, and this object cannot be loaded again.
   * @throws {LibbpfError} EACCES or EINVAL (the verifier refuses: its whole text is in `log`), EPERM, ENOMEM, ERR_ALREADY_LOADED
   */
  load(): void {
    this.#expectOpen();
    this.#state = "failed";
    native.objectLoad(this.#handle);
    for (const { name } of this.mapSpecs) this.#maps.set(name, new BpfMap(native.objectMap(this.#handle, name)));
    for (const { name } of this.programSpecs.filter(({ autoload }) => autoload)) {
      this.#programs.set(name, new BpfProgram(native.objectProgram(this.#handle, name)));
    }
    this.#state = "loaded";
  }

  /** Closes the object, its maps and its programs. */
  [Symbol.dispose](): void {
    for (const owned of [...this.#programs.values(), ...this.#maps.values()]) owned[Symbol.dispose]();
    native.objectClose(this.#handle);
  }

  #mapSpec(map: string): MapSpec {
    const specs = this.mapSpecs;
    return found(
      "map",
      map,
      specs.find(({ name }) => name === map),
      specs.map(({ name }) => name),
    );
  }

  #expectOpen(): void {
    if (this.#state === "open") return;
    throw ownError("ERR_ALREADY_LOADED", "load() was called before: open the object again");
  }

  #expectLoaded(): void {
    if (this.#state === "loaded") return;
    throw ownError("ERR_NOT_LOADED", "the object is not loaded: call load() first");
  }
}

function found<T>(kind: string, name: string, value: T | undefined, known: Iterable<string>): T {
  if (value !== undefined) return value;
  throw ownError("ERR_NOT_FOUND", `the object has no ${kind} ${name}; it has: ${[...known].join(", ") || "none"}`);
}
