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
export type FdHandle = MapHandle | ProgramHandle | LinkHandle;

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
  fd(handle: FdHandle): number;
  pin(handle: FdHandle, path: string): void;
  close(handle: FdHandle): void;

  objectOpenFile(path: string): ObjectHandle;
  objectOpenMem(elf: Uint8Array, name: string): ObjectHandle;
  objectClose(object: ObjectHandle): void;
  objectMaps(object: ObjectHandle): NativeMap[];
  objectPrograms(object: ObjectHandle): { name: string; section: string; type: number; autoload: boolean }[];
  objectSetMaxEntries(object: ObjectHandle, map: string, n: number): void;
  objectReuseMap(object: ObjectHandle, name: string, map: MapHandle): void;
  objectSetAutoload(object: ObjectHandle, program: string, on: boolean): void;
  objectInitialValue(object: ObjectHandle, map: string): Uint8Array | undefined;
  objectSetInitialValue(object: ObjectHandle, map: string, value: Uint8Array): void;
  objectLoad(object: ObjectHandle): void;
  objectMap(object: ObjectHandle, name: string): MapHandle;
  objectProgram(object: ObjectHandle, name: string): ProgramHandle;

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
  mapUpdate(map: MapHandle, key: Uint8Array, value: Uint8Array, flags: number): void;
  mapDelete(map: MapHandle, key: Uint8Array): boolean;
  mapLookupBatch(map: MapHandle, cursor: Uint8Array, first: boolean, count: number): NativeBatch | null;
  mapKeys(map: MapHandle): Uint8Array;
  possibleCpus(): number;

  programInfo(program: ProgramHandle): {
    id: number;
    type: number;
    name: string;
    tag: string;
    mapIds: number[];
    loadedAt: number;
  };
  programTestRun(
    program: ProgramHandle,
    data: Uint8Array,
    context: Uint8Array,
    repeat: number,
  ): { retval: number; data: Uint8Array; context: Uint8Array; durationNs: number };

  linkInfo(link: LinkHandle): {
    id: number;
    type: number;
    programId: number;
    ifindex?: number;
    attachType?: number;
    netnsInode?: number;
  };
  linkUpdate(link: LinkHandle, program: ProgramHandle): void;
  linkDetach(link: LinkHandle): void;
  linkDetachAsync(link: LinkHandle): Promise<void>;
  linkAttachNetns(program: ProgramHandle, netns: number, attachType: number): LinkHandle;
  linkQueryNetns(netns: number, attachType: number): number[];

  tcxAttach(program: ProgramHandle, ifindex: number, attachType: number, flags: number, netns: number): LinkHandle;
  tcxAttachAsync(
    program: ProgramHandle,
    ifindex: number,
    attachType: number,
    flags: number,
    netns: number,
  ): Promise<LinkHandle>;
  tcxQuery(
    ifindex: number,
    attachType: number,
    netns: number,
  ): { revision: bigint; programs: { programId: number; linkId: number }[] };

  clsactAttach(
    ifindex: number,
    attachPoint: number,
    priority: number,
    handle: number,
    netns: number,
    program: ProgramHandle,
    replace: boolean,
  ): { priority: number; handle: number; programId: number };
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
  ringRef(ring: RingHandle, on: boolean): void;
  ringClose(ring: RingHandle): void;

  probeBpf(): boolean;
  probeProgramType(type: number): boolean;
  probeMapType(type: number): boolean;
  probeHelper(programType: number, helper: number): boolean;
  probeTcx(attachType: number): boolean;
  typeName(kind: number, type: number): string | undefined;
  version(): string;
}

/** Where the addon is: beside the sources, or where a bundle of them put it. */
const path = process.env.LIBBPF_TS_ADDON ?? "../build/bpf.node";

export const native: Native = createRequire(import.meta.url)(path);
native.setErrorClass(LibbpfError);
