import { Btf } from "./btf.ts";
import { ownError } from "./errors.ts";
import { HANDLE } from "./fd-owner.ts";
import {
  ATTACH_TYPES,
  type AttachType,
  MAP_TYPES,
  type MapType,
  nameOf,
  PROGRAM_TYPES,
  type ProgramType,
  type UnknownType,
} from "./kernel-names.ts";
import { BpfMap } from "./map.ts";
import { kernelLayout, layoutOfTypes } from "./map-layout.ts";
import { layoutMismatch, type MapLayout, mapMismatch } from "./map-mismatch.ts";
import { native, type ObjectHandle } from "./native.ts";
import { BpfProgram } from "./program.ts";
import { codecsOf, type MapCodecs, TypedMap, TypedPerCpuMap } from "./typed-map.ts";
import { findVariable, type Variable, variablesOf } from "./variables.ts";
import { parseVerifierStatistics, type VerifierStatistics } from "./verifier-statistics.ts";

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

export interface LoadOptions {
  /** Have the verifier tell what each program took it: see {@link BpfObject.verifierStatistics}. */
  readonly statistics?: boolean;
}

/**
 * A compiled BPF object: open it, adapt it, load it into the kernel. It owns its maps and programs; disposing closes them, and
 * what is not pinned or attached goes.
 */
export class BpfObject implements Disposable {
  readonly #handle: ObjectHandle;
  readonly #maps = new Map<string, BpfMap>();
  readonly #programs = new Map<string, BpfProgram>();
  #btf: Btf | undefined;
  /** Types of existing maps by their id in the kernel: those that were made by one object share them. */
  readonly #kernelBtf = new Map<number, Btf>();
  #variables: ReadonlyMap<string, Variable> | undefined;
  #statistics: ReadonlyMap<string, VerifierStatistics> = new Map();
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
    return this.#nativeMaps().map(({ keyTypeId: _key, valueTypeId: _value, ...map }) => ({
      ...map,
      type: nameOf(MAP_TYPES, map.type),
    }));
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

  /**
   * The object's types.
   * @throws {LibbpfError} ERR_BTF (compiled without `-g`)
   */
  get btf(): Btf {
    if (this.#btf === undefined) {
      const bytes = native.objectBtf(this.#handle);
      if (bytes === undefined) throw ownError("ERR_BTF", "the object has no type information: compile it with -g");
      this.#btf = Btf.parse(bytes);
    }
    return this.#btf;
  }

  /**
   * Codecs for the keys and values of a map, by the types that it declares: see {@link btfCodec} for what becomes of which type.
   * @throws {LibbpfError} ERR_NOT_FOUND, ERR_BTF (declared by sizes, not by types)
   */
  codecs<Key, Value>(map: string): MapCodecs<Key, Value> {
    const spec = this.#nativeMaps().find(({ name }) => name === map);
    return codecsOf(this.btf, spec ?? { keyTypeId: 0, valueTypeId: 0 }, this.#mapSpec(map));
  }

  /**
   * Where the members of a map's keys and values are; undefined when it is declared by sizes.
   * @throws {LibbpfError} ERR_NOT_FOUND
   */
  layout(map: string): MapLayout | undefined {
    const types = this.#nativeMaps().find(({ name }) => name === map) ?? this.#mapSpec(map);
    return "keyTypeId" in types && this.#hasBtf() ? layoutOfTypes(this.btf, types) : undefined;
  }

  /**
   * A loaded map with its codecs. The caller says what TypeScript makes of the types.
   * @throws {LibbpfError} ERR_NOT_FOUND, ERR_NOT_LOADED, ERR_BTF
   */
  typedMap<Key, Value>(name: string): TypedMap<Key, Value> {
    return new TypedMap(this.map(name), this.codecs<Key, Value>(name));
  }

  /** {@link typedMap} of a per-CPU map. */
  typedPerCpuMap<Key, Value>(name: string): TypedPerCpuMap<Key, Value> {
    return new TypedPerCpuMap(this.map(name), this.codecs<Key, Value>(name));
  }

  /**
   * The value of a global variable: what it starts with, and after load() what it is now.
   * @throws {LibbpfError} ERR_NOT_FOUND, ERR_BTF
   */
  variable(name: string): unknown {
    const { map, offset, codec } = findVariable(this.#allVariables(), name);
    const section = this.#state === "loaded" ? this.map(map).lookup(new Uint8Array(4)) : this.initialValue(map);
    if (section === undefined) throw ownError("ERR_BTF", `the section of ${name} has no contents`);
    return codec.decode(section.subarray(offset, offset + codec.size));
  }

  /**
   * Before load(): what global variables start with. Constants (`const volatile`) are known to the verifier then, and the code that
   * they make dead is not loaded.
   * @throws {LibbpfError} ERR_NOT_FOUND, ERR_ALREADY_LOADED, ERR_BTF
   */
  setVariables(values: Readonly<Record<string, unknown>>): void {
    this.#expectOpen();
    for (const [name, value] of Object.entries(values)) {
      const { map, offset, codec } = findVariable(this.#allVariables(), name);
      const section = this.initialValue(map);
      if (section === undefined) throw ownError("ERR_BTF", `the section of ${name} has no contents`);
      section.set(codec.encode(value), offset);
      this.setInitialValue(map, section);
    }
  }

  /** Before load(): how many entries a map gets. @throws {LibbpfError} ERR_NOT_FOUND, ERR_ALREADY_LOADED */
  setMaxEntries(map: string, n: number): void {
    this.#expectOpen();
    this.#mapSpec(map);
    native.objectSetMaxEntries(this.#handle, map, n);
  }

  /**
   * Before load(): takes an existing map in place of the declared one. Both stay independent: `existing` may be disposed then. Where
   * both have type information, the members of keys and values are compared too, by name, place and kind: see {@link layoutDifferences}.
   * Without CAP_SYS_ADMIN the kernel does not show its own.
   * @throws {LibbpfError} ERR_MAP_MISMATCH (type, sizes, entries, flags or members differ), ERR_NOT_FOUND, ERR_ALREADY_LOADED, ERR_CLOSED
   */
  reuseMap(map: string, existing: BpfMap): void {
    this.#expectOpen();
    const differences = mapMismatch(this.#mapSpec(map), existing.info);
    if (differences.length === 0) differences.push(...this.#layoutMismatch(map, existing));
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
    this.#programSpec(program);
    native.objectSetAutoload(this.#handle, program, on);
  }

  /**
   * Before load(): how many bytes a value of a map has, for instance one that depends on the number of CPUs.
   * @throws {LibbpfError} ERR_NOT_FOUND, ERR_ALREADY_LOADED
   */
  setValueSize(map: string, bytes: number): void {
    this.#expectOpen();
    this.#mapSpec(map);
    native.objectSetValueSize(this.#handle, map, bytes);
  }

  /**
   * Before load(): the type of a program whose section the installed libbpf does not know (`netfilter` before 1.3), or that is to be
   * another one.
   * @throws {LibbpfError} ERR_NOT_FOUND, ERR_ALREADY_LOADED
   */
  setProgramType(program: string, type: ProgramType, attachType?: AttachType): void {
    this.#expectOpen();
    this.#programSpec(program);
    const attach = attachType === undefined ? 0 : ATTACH_TYPES[attachType];
    native.objectSetProgramType(this.#handle, program, PROGRAM_TYPES[type], attach);
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
  load({ statistics = false }: LoadOptions = {}): void {
    this.#expectOpen();
    this.#state = "failed";
    this.#statistics = parseVerifierStatistics(native.objectLoad(this.#handle, statistics));
    for (const { name } of this.mapSpecs) this.#maps.set(name, new BpfMap(native.objectMap(this.#handle, name)));
    for (const { name } of this.programSpecs.filter(({ autoload }) => autoload)) {
      this.#programs.set(name, new BpfProgram(native.objectProgram(this.#handle, name)));
    }
    this.#state = "loaded";
  }

  /**
   * What the verifier said of each program, by name, when load() was asked for it; without those whose autoload is off.
   * @throws {LibbpfError} ERR_NOT_LOADED
   */
  get verifierStatistics(): ReadonlyMap<string, VerifierStatistics> {
    this.#expectLoaded();
    return this.#statistics;
  }

  /** Closes the object, its maps and its programs. */
  [Symbol.dispose](): void {
    for (const owned of [...this.#programs.values(), ...this.#maps.values()]) owned[Symbol.dispose]();
    native.objectClose(this.#handle);
  }

  #layoutMismatch(map: string, existing: BpfMap): string[] {
    const declared = this.layout(map);
    const real = declared && kernelLayout(existing, this.#kernelBtf);
    return declared && real ? layoutMismatch(declared, real) : [];
  }

  #hasBtf(): boolean {
    return this.#btf !== undefined || native.objectBtf(this.#handle) !== undefined;
  }

  #nativeMaps() {
    return native.objectMaps(this.#handle);
  }

  #allVariables(): ReadonlyMap<string, Variable> {
    this.#variables ??= variablesOf(this.btf, this.#nativeMaps());
    return this.#variables;
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

  #programSpec(program: string): ProgramSpec {
    const specs = this.programSpecs;
    return found(
      "program",
      program,
      specs.find(({ name }) => name === program),
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
