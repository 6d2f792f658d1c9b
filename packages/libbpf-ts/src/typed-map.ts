import { Btf } from "./btf.ts";
import { btfCodec } from "./btf-codec.ts";
import type { Codec } from "./codec.ts";
import { ownError } from "./errors.ts";
import { HANDLE } from "./fd-owner.ts";
import type { BpfMap, UpdateMode } from "./map.ts";
import { native } from "./native.ts";
import { joinPerCpu } from "./per-cpu.ts";

export interface MapCodecs<Key, Value> {
  readonly key: Codec<Key>;
  readonly value: Codec<Value>;
}

/**
 * Codecs of the keys and values of a map from the types that the kernel keeps of it, so of a pinned map too (needs CAP_SYS_ADMIN).
 * Maps of sockets and of maps have none in the kernel: ask the object that declares them, `object.codecs(name)`.
 * @throws {LibbpfError} ERR_BTF (the map has no types), EPERM, ERR_CLOSED
 */
export function mapCodecs<Key, Value>(map: BpfMap): MapCodecs<Key, Value> {
  const types = native.mapTypes(map[HANDLE]);
  if (types === undefined) throw ownError("ERR_BTF", `map ${map.info.name} has no type information in the kernel`);
  return codecsOf(Btf.parse(native.btfById(types.btfId)), types, map.info);
}

/** Codecs for the types that a map names, which must be as long as its keys and values are. */
export function codecsOf<Key, Value>(
  btf: Btf,
  { keyTypeId, valueTypeId }: { readonly keyTypeId: number; readonly valueTypeId: number },
  { name, keySize, valueSize }: { readonly name: string; readonly keySize: number; readonly valueSize: number },
): MapCodecs<Key, Value> {
  if (keyTypeId === 0 || valueTypeId === 0)
    throw ownError(
      "ERR_BTF",
      `map ${name} is declared by sizes: with __type(key, …) and __type(value, …) it has codecs`,
    );
  const codecs = { key: btfCodec<Key>(btf, keyTypeId), value: btfCodec<Value>(btf, valueTypeId) };
  if (codecs.key.size !== keySize || codecs.value.size !== valueSize)
    throw ownError("ERR_BTF", `the types of map ${name} are not as long as its keys and values`);
  return codecs;
}

/**
 * A map of keys and values instead of bytes. It owns nothing: the {@link BpfMap} is closed by whoever opened it. Of a per-CPU map
 * use {@link TypedPerCpuMap}.
 */
export class TypedMap<Key, Value> {
  readonly map: BpfMap;
  readonly codecs: MapCodecs<Key, Value>;

  /** @param codecs where they come from is free: {@link mapCodecs}, `object.codecs(name)`, or written by hand */
  constructor(map: BpfMap, codecs: MapCodecs<Key, Value>) {
    this.map = map;
    this.codecs = codecs;
  }

  /** @throws {LibbpfError} as {@link BpfMap.lookup} */
  get(key: Key): Value | undefined {
    const bytes = this.map.lookup(this.codecs.key.encode(key));
    return bytes && this.codecs.value.decode(bytes);
  }

  has(key: Key): boolean {
    return this.map.lookup(this.codecs.key.encode(key)) !== undefined;
  }

  /** @throws {LibbpfError} as {@link BpfMap.update} */
  set(key: Key, value: Value, mode?: UpdateMode): void {
    this.map.update(this.codecs.key.encode(key), this.codecs.value.encode(value), mode);
  }

  /** Sets many by one call. @throws {LibbpfError} as {@link BpfMap.updateBatch} */
  setAll(entries: Iterable<readonly [Key, Value]>, mode?: UpdateMode): void {
    const all = [...entries];
    const keys = pack(
      all.map(([key]) => key),
      this.codecs.key,
    );
    const values = pack(
      all.map(([, value]) => value),
      this.codecs.value,
    );
    this.map.updateBatch(keys, values, mode);
  }

  /** False: it was not there. @throws {LibbpfError} as {@link BpfMap.delete} */
  delete(key: Key): boolean {
    return this.map.delete(this.codecs.key.encode(key));
  }

  /** Deletes many by one call; returns how many were there. @throws {LibbpfError} as {@link BpfMap.deleteBatch} */
  deleteAll(keys: Iterable<Key>): number {
    return this.map.deleteBatch(pack([...keys], this.codecs.key));
  }

  /** @throws {LibbpfError} as {@link BpfMap.take} */
  take(key: Key): Value | undefined {
    const bytes = this.map.take(this.codecs.key.encode(key));
    return bytes && this.codecs.value.decode(bytes);
  }

  /** @throws {LibbpfError} as {@link BpfMap.drain} */
  drain(): [key: Key, value: Value][] {
    return this.map.drain().map(([key, value]) => [this.codecs.key.decode(key), this.codecs.value.decode(value)]);
  }

  /** @throws {LibbpfError} as {@link BpfMap.entries} */
  *entries(): Generator<[key: Key, value: Value], void, undefined> {
    for (const [key, value] of this.map.entries()) yield [this.codecs.key.decode(key), this.codecs.value.decode(value)];
  }

  /** @throws {LibbpfError} as {@link BpfMap.keys} */
  *keys(): Generator<Key, void, undefined> {
    for (const key of this.map.keys()) yield this.codecs.key.decode(key);
  }

  [Symbol.iterator](): Generator<[key: Key, value: Value], void, undefined> {
    return this.entries();
  }
}

/** As {@link TypedMap}, of a map that has a value for each possible CPU. */
export class TypedPerCpuMap<Key, Value> {
  readonly map: BpfMap;
  readonly codecs: MapCodecs<Key, Value>;

  constructor(map: BpfMap, codecs: MapCodecs<Key, Value>) {
    this.map = map;
    this.codecs = codecs;
  }

  /** One value for each possible CPU, in order; empty when there is none. @throws {LibbpfError} as {@link BpfMap.lookupPerCpu} */
  get(key: Key): Value[] {
    return this.#decode(this.map.lookupPerCpu(this.codecs.key.encode(key)));
  }

  /** @throws {LibbpfError} as {@link BpfMap.updatePerCpu} */
  set(key: Key, values: readonly Value[], mode?: UpdateMode): void {
    this.map.updatePerCpu(this.codecs.key.encode(key), this.#encode(values), mode);
  }

  /** Sets many by one call. @throws {LibbpfError} as {@link BpfMap.updateBatch} */
  setAll(entries: Iterable<readonly [Key, readonly Value[]]>, mode?: UpdateMode): void {
    const all = [...entries];
    const keys = pack(
      all.map(([key]) => key),
      this.codecs.key,
    );
    const values = Buffer.concat(all.map(([, each]) => joinPerCpu(this.#encode(each), this.codecs.value.size)));
    this.map.updateBatch(keys, values, mode);
  }

  /** @throws {LibbpfError} as {@link BpfMap.delete} */
  delete(key: Key): boolean {
    return this.map.delete(this.codecs.key.encode(key));
  }

  /** @throws {LibbpfError} as {@link BpfMap.drain} */
  drain(): [key: Key, values: Value[]][] {
    return this.map.drainPerCpu().map(([key, values]) => [this.codecs.key.decode(key), this.#decode(values)]);
  }

  /** @throws {LibbpfError} as {@link BpfMap.entries} */
  *entries(): Generator<[key: Key, values: Value[]], void, undefined> {
    for (const [key, values] of this.map.entriesPerCpu()) yield [this.codecs.key.decode(key), this.#decode(values)];
  }

  /** @throws {LibbpfError} as {@link BpfMap.keys} */
  *keys(): Generator<Key, void, undefined> {
    for (const key of this.map.keys()) yield this.codecs.key.decode(key);
  }

  [Symbol.iterator](): Generator<[key: Key, values: Value[]], void, undefined> {
    return this.entries();
  }

  #encode(values: readonly Value[]): Uint8Array[] {
    return values.map((value) => this.codecs.value.encode(value));
  }

  #decode(values: readonly Uint8Array[]): Value[] {
    return values.map((value) => this.codecs.value.decode(value));
  }
}

function pack<T>(values: readonly T[], codec: Codec<T>): Uint8Array {
  const packed = new Uint8Array(values.length * codec.size);
  for (const [index, value] of values.entries()) packed.set(codec.encode(value), index * codec.size);
  return packed;
}
