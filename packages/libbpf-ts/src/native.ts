import { createRequire } from "node:module";
import { LibbpfError } from "./errors.ts";

declare const kind: unique symbol;

/** Tagged externals: the native side refuses one of the wrong kind. */
export interface ObjectHandle {
  readonly [kind]: "object";
}
export interface MapHandle {
  readonly [kind]: "map";
}
export interface ProgramHandle {
  readonly [kind]: "program";
}
export interface LinkHandle {
  readonly [kind]: "link";
}
export interface RingHandle {
  readonly [kind]: "ring";
}
export interface StatisticsHandle {
  readonly [kind]: "statistics";
}
export type FdHandle = MapHandle | ProgramHandle | LinkHandle | StatisticsHandle;

/** `enum kind` of addon/addon.h. */
export const KIND = { map: 2, program: 3, link: 4 } as const;
export type Kind = keyof typeof KIND;

export interface NativeMap {
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
}

/** Types of keys and values; 0: not told. */
export interface NativeTypes {
  readonly keyTypeId: number;
  readonly valueTypeId: number;
}

/** Arguments of linkCreate(): a descriptor or an ifindex is the target; -1 for descriptors that are not needed. */
export type LinkArguments = readonly [
  program: ProgramHandle,
  targetFd: number,
  ifindex: number,
  attachType: number,
  flags: number,
  netns: number,
  relativeFd: number,
  detail: Uint8Array,
];

/** Arguments of clsactAttach(): those of a filter's place, then what is put there. */
export type ClsactArguments = readonly [
  ifindex: number,
  attachPoint: number,
  priority: number,
  handle: number,
  netns: number,
  program: ProgramHandle,
  replace: boolean,
];

/** Where the filter is, also where the kernel chose, and what it runs. */
export interface ClsactAttached {
  readonly priority: number;
  readonly handle: number;
  readonly programId: number;
}

/** Only what the kind of link has. */
export interface NativeLinkInfo {
  readonly id: number;
  readonly type: number;
  readonly programId: number;
  readonly ifindex?: number;
  readonly attachType?: number;
  readonly netnsInode?: number;
  readonly cgroupId?: bigint;
  readonly family?: number;
  readonly hook?: number;
  readonly priority?: number;
}

export type TcxQueryArguments = readonly [ifindex: number, attachType: number, netns: number];

export interface NativeTcxPrograms {
  readonly revision: bigint;
  readonly programs: { readonly programId: number; readonly linkId: number }[];
}

export interface NativeBatch {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  readonly count: number;
  readonly done: boolean;
}

/** The functions of addon/module.c. Each clears the log, does one thing, and throws a LibbpfError with the log when it fails. */
export interface Native {
  setErrorClass(errorClass: typeof LibbpfError): void;

  openPinned(kind: number, path: string): FdHandle;
  openById(kind: number, id: number): FdHandle;
  nextId(kind: number, id: number): number | undefined;
  fd(handle: FdHandle): number;
  pin(handle: FdHandle, path: string): void;
  close(handle: FdHandle): void;

  objectOpenFile(path: string): ObjectHandle;
  objectOpenMem(elf: Uint8Array, name: string): ObjectHandle;
  objectClose(object: ObjectHandle): void;
  objectMaps(object: ObjectHandle): (NativeMap & NativeTypes)[];
  objectPrograms(object: ObjectHandle): { name: string; section: string; type: number; autoload: boolean }[];
  objectSetMaxEntries(object: ObjectHandle, map: string, n: number): void;
  objectReuseMap(object: ObjectHandle, name: string, map: MapHandle): void;
  objectSetAutoload(object: ObjectHandle, program: string, on: boolean): void;
  objectSetProgramType(object: ObjectHandle, program: string, type: number, attachType: number): void;
  objectSetValueSize(object: ObjectHandle, map: string, bytes: number): void;
  objectInitialValue(object: ObjectHandle, map: string): Uint8Array | undefined;
  objectSetInitialValue(object: ObjectHandle, map: string, value: Uint8Array): void;
  objectLoad(object: ObjectHandle, statistics: boolean): string;
  objectMap(object: ObjectHandle, name: string): MapHandle;
  objectProgram(object: ObjectHandle, name: string): ProgramHandle;

  objectBtf(object: ObjectHandle): Uint8Array | undefined;
  btfById(id: number): Uint8Array;
  mapTypes(map: MapHandle): (NativeTypes & { readonly btfId: number }) | undefined;

  mapCreate(
    type: number,
    name: string,
    keySize: number,
    valueSize: number,
    maxEntries: number,
    flags: number,
    innerMapFd: number,
  ): MapHandle;
  mapInfo(map: MapHandle): NativeMap & { readonly id: number };
  mapLookup(map: MapHandle, key: Uint8Array): Uint8Array | undefined;
  mapLookupInto(map: MapHandle, key: Uint8Array, value: Uint8Array): boolean;
  mapUpdate(map: MapHandle, key: Uint8Array, value: Uint8Array, flags: number): void;
  mapTake(map: MapHandle, key: Uint8Array): Uint8Array | undefined;
  mapDelete(map: MapHandle, key: Uint8Array): boolean;
  mapLookupBatch(map: MapHandle, cursor: Uint8Array, first: boolean, count: number, take: boolean): NativeBatch | null;
  mapUpdateBatch(map: MapHandle, keys: Uint8Array, values: Uint8Array, flags: number): void;
  mapDeleteBatch(map: MapHandle, keys: Uint8Array): number;
  mapKeys(map: MapHandle): Uint8Array;
  mapFreeze(map: MapHandle): void;
  possibleCpus(): number;

  programInfo(program: ProgramHandle): {
    id: number;
    type: number;
    name: string;
    tag: string;
    mapIds: number[];
    instructions: number;
    verifiedInstructions: number;
    machineCodeBytes: number;
    createdByUid: number;
    loadedAt: number;
  };
  programStatistics(program: ProgramHandle): { runs: bigint; runTimeNs: bigint; recursionMisses: bigint };
  enableStatistics(): StatisticsHandle;
  programTestRun(
    program: ProgramHandle,
    data: Uint8Array,
    context: Uint8Array,
    repeat: number,
  ): { retval: number; data: Uint8Array; context: Uint8Array; durationNs: number };

  linkInfo(link: LinkHandle): NativeLinkInfo;
  linkInfoAsync(link: LinkHandle): Promise<NativeLinkInfo>;
  linkUpdate(link: LinkHandle, program: ProgramHandle, expectedFd: number): void;
  linkDetach(link: LinkHandle): void;
  linkDetachAsync(link: LinkHandle): Promise<void>;
  linkCreate(...args: LinkArguments): LinkHandle;
  linkCreateAsync(...args: LinkArguments): Promise<LinkHandle>;
  programAttach(program: ProgramHandle, targetFd: number, attachType: number): void;
  programDetach(program: ProgramHandle, targetFd: number, attachType: number): void;
  targetQuery(targetFd: number, attachType: number, flags: number): number[];
  tcxQuery(...args: TcxQueryArguments): NativeTcxPrograms;
  tcxQueryAsync(...args: TcxQueryArguments): Promise<NativeTcxPrograms>;

  clsactAttach(...args: ClsactArguments): ClsactAttached;
  clsactAttachAsync(...args: ClsactArguments): Promise<ClsactAttached>;
  clsactDetach(ifindex: number, attachPoint: number, priority: number, handle: number, netns: number): boolean;
  clsactQuery(
    ifindex: number,
    attachPoint: number,
    priority: number,
    handle: number,
    netns: number,
  ): number | undefined;

  ringOpen(map: MapHandle, onWake: (status: number) => void): RingHandle;
  ringConsume(ring: RingHandle): Uint8Array | undefined;
  ringPause(ring: RingHandle, on: boolean): void;
  ringRef(ring: RingHandle, on: boolean): void;
  ringClose(ring: RingHandle): void;

  probeBpf(): boolean;
  probeProgramType(type: number): boolean;
  probeMapType(type: number): boolean;
  probeHelper(programType: number, helper: number): boolean;
  probeTcx(attachType: number): boolean;
  probeNetfilter(): boolean;
  probeBatch(mapType: number): boolean;
  netnsCookie(netns: number): bigint;
  typeName(kind: number, type: number): string | undefined;
  version(): string;
}

/** Where the addon is: beside the sources, or where a bundle of them put it. */
const path = process.env.LIBBPF_TS_ADDON ?? "../build/bpf.node";

export const native: Native = load();
native.setErrorClass(LibbpfError);

function load(): Native {
  try {
    return createRequire(import.meta.url)(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `libbpf-ts: cannot load the addon ${path}: ${why}. It is built for Linux on x86-64 and needs libbpf.so.1 (package libbpf1 or ` +
        "libbpf); on other machines build it with `make addon` in the package's directory",
      { cause },
    );
  }
}
