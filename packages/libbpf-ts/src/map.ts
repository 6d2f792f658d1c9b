import { LibbpfError, ownError } from "./errors.ts";
import { FdOwner, HANDLE } from "./fd-owner.ts";
import { MAP_TYPES, type MapType, nameOf, type UnknownType } from "./kernel-names.ts";
import { readEntries, readKeys, takeEntries } from "./map-iteration.ts";
import { KIND, type MapHandle, native } from "./native.ts";
import { isPerCpu, joinPerCpu, perCpuStride, splitPerCpu } from "./per-cpu.ts";

/** What the kernel says about a map. Sizes in bytes. */
export interface MapInfo {
  readonly id: number;
  readonly type: MapType | UnknownType;
  /** At most 15 bytes: the kernel cuts longer names. */
  readonly name: string;
  readonly keySize: number;
  /** Of one value; a per-CPU map has one for each possible CPU. */
  readonly valueSize: number;
  readonly maxEntries: number;
  /** `BPF_F_…` of map creation. */
  readonly flags: number;
}

/** What {@link BpfMap.create} makes. */
export interface MapOptions {
  readonly type: MapType;
  /** At most 15 of letters, digits, `_` and `.`; default empty. */
  readonly name?: string;
  /** Bytes; 0 for queues, stacks and ring buffers. */
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** `BPF_F_…`, for instance `BPF_F_NO_PREALLOC` (1), which LPM tries need. Default 0. */
  readonly flags?: number;
  /** For `array_of_maps` and `hash_of_maps`: a map of the shape of the inner ones. */
  readonly innerMap?: BpfMap;
}

/** `BPF_ANY`, `BPF_NOEXIST`, `BPF_EXIST` of bpf(2). */
const UPDATE_MODES = { any: 0, noexist: 1, exist: 2 } as const;
export type UpdateMode = keyof typeof UPDATE_MODES;

/**
 * A BPF map. Keys and values are raw bytes, exactly `info.keySize` and `info.valueSize` of them; anything else is a RangeError
 * (`ERR_OUT_OF_RANGE`). Every call is one system call, without an await, so nothing comes between two of them but the kernel.
 */
export class BpfMap extends FdOwner<MapHandle> {
  readonly #info: MapInfo;

  /** @internal */
  constructor(handle: MapHandle) {
    super(handle);
    const info = native.mapInfo(handle);
    this.#info = Object.freeze({ ...info, type: nameOf(MAP_TYPES, info.type) });
  }

  /**
   * Opens the map pinned at that path.
   * @throws {LibbpfError} ENOENT, ERR_WRONG_KIND, EACCES, EINVAL (no BPF file system)
   */
  static openPinned(path: string): BpfMap {
    return new BpfMap(native.openPinned(KIND.map, path) as MapHandle);
  }

  /**
   * Opens a map by its id (needs CAP_SYS_ADMIN).
   * @throws {LibbpfError} ENOENT, EPERM
   */
  static byId(id: number): BpfMap {
    return new BpfMap(native.openById(KIND.map, id) as MapHandle);
  }

  /**
   * Creates a map.
   * @throws {LibbpfError} EINVAL, EPERM, ENOMEM, E2BIG
   */
  static create(options: MapOptions): BpfMap {
    const { type, name = "", keySize, valueSize, maxEntries, flags = 0, innerMap } = options;
    const innerFd = innerMap?.fd ?? -1;
    return new BpfMap(native.mapCreate(MAP_TYPES[type], name, keySize, valueSize, maxEntries, flags, innerFd));
  }

  /** Fixed at creation, so it can be read after disposal too. */
  get info(): MapInfo {
    return this.#info;
  }

  /**
   * The value of a key, as a copy; undefined when there is none.
   * @param into a buffer of the value's size, which gets it and is returned: many lookups in a row need no new one each
   * @throws {LibbpfError} ERR_PER_CPU (use {@link lookupPerCpu}), ERR_CLOSED, ENOTSUPP (the map cannot be read from user space)
   */
  lookup(key: Uint8Array, into?: Uint8Array): Uint8Array | undefined {
    this.#expectPerCpu(false, "lookupPerCpu()");
    if (into === undefined) return native.mapLookup(this[HANDLE], key);
    return native.mapLookupInto(this[HANDLE], key, into) ? into : undefined;
  }

  /**
   * The values of a key, one for each possible CPU in order; empty when there is none.
   * @throws {LibbpfError} ERR_PER_CPU (not a per-CPU map), ERR_CLOSED
   */
  lookupPerCpu(key: Uint8Array): Uint8Array[] {
    this.#expectPerCpu(true, "lookup()");
    const values = native.mapLookup(this[HANDLE], key);
    return values === undefined ? [] : splitPerCpu(values, this.#info.valueSize);
  }

  /**
   * Sets a value.
   * @param mode `noexist`: only a new key; `exist`: only one that is there; default `any`
   * @throws {LibbpfError} EEXIST, ENOENT (by `mode`), E2BIG (the map is full), ENOSPC (an LPM trie is full), ERR_PER_CPU, ERR_CLOSED
   */
  update(key: Uint8Array, value: Uint8Array, mode: UpdateMode = "any"): void {
    this.#expectPerCpu(false, "updatePerCpu()");
    native.mapUpdate(this[HANDLE], key, value, UPDATE_MODES[mode]);
  }

  /**
   * Sets the values of all possible CPUs.
   * @param values one for each of {@link possibleCpus}, in order
   * @throws {LibbpfError} as {@link update}
   */
  updatePerCpu(key: Uint8Array, values: readonly Uint8Array[], mode: UpdateMode = "any"): void {
    this.#expectPerCpu(true, "update()");
    native.mapUpdate(this[HANDLE], key, joinPerCpu(values, this.#info.valueSize), UPDATE_MODES[mode]);
  }

  /**
   * Deletes a key. False: it was not there.
   * @throws {LibbpfError} EINVAL (entries of arrays cannot be deleted), ERR_CLOSED
   */
  delete(key: Uint8Array): boolean {
    try {
      return native.mapDelete(this[HANDLE], key);
    } catch (error) {
      // For an empty slot a sockmap says EINVAL where other maps say ENOENT: __sock_map_delete() in net/core/sock_map.c.
      if (this.#info.type === "sockmap" && error instanceof LibbpfError && error.code === "EINVAL") return false;
      throw error;
    }
  }

  /**
   * Sets many values by one call, a third of the time of as many {@link update}s. When one is refused, those before it are set.
   * @param keys packed: one behind the other
   * @param values packed, as many; of a per-CPU map each is the values of all possible CPUs, padded to 8 bytes each
   * @throws {LibbpfError} as {@link update}; `count` tells how many were set
   */
  updateBatch(keys: Uint8Array, values: Uint8Array, mode: UpdateMode = "any"): void {
    native.mapUpdateBatch(this[HANDLE], keys, values, UPDATE_MODES[mode]);
  }

  /**
   * Deletes many keys by one call; those that are not there are passed over.
   * @param keys packed: one behind the other
   * @returns how many were there
   * @throws {LibbpfError} EINVAL (entries of arrays cannot be deleted), ERR_CLOSED; `count` tells how many were deleted
   */
  deleteBatch(keys: Uint8Array): number {
    return native.mapDeleteBatch(this[HANDLE], keys);
  }

  /**
   * Takes a value out of the map in one step; undefined when there is none. Of a queue or stack, whose key is empty, the next one.
   * @throws {LibbpfError} ENOTSUPP (not this kind of map, or hashes before Linux 5.14), ERR_PER_CPU, ERR_CLOSED
   */
  take(key: Uint8Array): Uint8Array | undefined {
    this.#expectPerCpu(false, "drainPerCpu()");
    return native.mapTake(this[HANDLE], key);
  }

  /**
   * Takes all entries out of the map. Hashes do it in one step each (Linux 5.6), so that nothing a program writes meanwhile is lost;
   * other maps are read and then deleted.
   * @throws {LibbpfError} EINVAL (entries of arrays cannot be deleted), ERR_PER_CPU (use {@link drainPerCpu}), ERR_CLOSED
   */
  drain(): [key: Uint8Array, value: Uint8Array][] {
    this.#expectPerCpu(false, "drainPerCpu()");
    return takeEntries(this[HANDLE], this.#info, this.#info.valueSize);
  }

  /** All entries of a per-CPU map, taken out of it: see {@link drain}. */
  drainPerCpu(): [key: Uint8Array, values: Uint8Array[]][] {
    this.#expectPerCpu(true, "drain()");
    const { valueSize } = this.#info;
    const taken = takeEntries(this[HANDLE], this.#info, perCpuStride(valueSize) * possibleCpus());
    return taken.map(([key, values]) => [key, splitPerCpu(values, valueSize)]);
  }

  /**
   * All entries, read in batches where the kernel has them for this kind of map, else key by key. What changes meanwhile may
   * or may not be seen; what does not change is seen once.
   * @throws {LibbpfError} ERR_PER_CPU (use {@link entriesPerCpu}), ERR_ITERATION, ERR_CLOSED
   */
  *entries(): Generator<[key: Uint8Array, value: Uint8Array], void, undefined> {
    this.#expectPerCpu(false, "entriesPerCpu()");
    yield* readEntries(this[HANDLE], this.#info, this.#info.valueSize);
  }

  /** All entries of a per-CPU map: see {@link entries}. */
  *entriesPerCpu(): Generator<[key: Uint8Array, values: Uint8Array[]], void, undefined> {
    this.#expectPerCpu(true, "entries()");
    const { valueSize } = this.#info;
    const length = perCpuStride(valueSize) * possibleCpus();
    for (const [key, values] of readEntries(this[HANDLE], this.#info, length))
      yield [key, splitPerCpu(values, valueSize)];
  }

  /**
   * All keys, without their values.
   * @throws {LibbpfError} ERR_ITERATION, ERR_CLOSED
   */
  *keys(): Generator<Uint8Array, void, undefined> {
    yield* readKeys(this[HANDLE], this.#info.keySize);
  }

  /**
   * Ends writing from user space, for good; programs go on. Not with a writable mapping of it.
   * @throws {LibbpfError} EBUSY, EPERM, ENOTSUPP, ERR_CLOSED
   */
  freeze(): void {
    native.mapFreeze(this[HANDLE]);
  }

  #expectPerCpu(expected: boolean, instead: string): void {
    if (isPerCpu(this.#info.type) === expected) return;
    const kind = expected ? "no" : "a";
    throw ownError("ERR_PER_CPU", `map ${this.#info.name} is ${kind} per-CPU map (${this.#info.type}): use ${instead}`);
  }
}

/** How many values a key of a per-CPU map has: all CPUs that could ever be there, not only those online. */
export function possibleCpus(): number {
  return native.possibleCpus();
}
