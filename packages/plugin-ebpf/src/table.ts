import type { MapFill } from "@millrace/core";
import { errorCode } from "@millrace/core/internal";
import type { BpfMap } from "libbpf-ts";
import { EbpfError, explainFailure } from "./errors.ts";

export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** A hash map of the kernel with typed keys and values. */
export class Table<Key, Value> {
  readonly map: BpfMap;
  readonly #key: Codec<Key>;
  readonly #value: Codec<Value>;
  readonly #setting: string;

  /** `setting`: the configuration key that makes the map larger. */
  constructor(map: BpfMap, key: Codec<Key>, value: Codec<Value>, setting: string) {
    this.map = map;
    this.#key = key;
    this.#value = value;
    this.#setting = setting;
  }

  get(key: Key): Value | undefined {
    const bytes = this.map.lookup(this.#key.encode(key));
    return bytes && this.#value.decode(bytes);
  }

  /** Throws `ERR_MAP_FULL`. */
  set(key: Key, value: Value): void {
    try {
      this.map.update(this.#key.encode(key), this.#value.encode(value));
    } catch (error) {
      const { name, maxEntries } = this.map.info;
      // ENOSPC: a trie of prefixes (kernel/bpf/lpm_trie.c, trie_update_elem()).
      if (!["E2BIG", "ENOSPC"].includes(errorCode(error))) throw explainFailure(`writing the map ${name}`, error);
      throw mapFull(name, maxEntries, this.#setting, error);
    }
  }

  /** Writes only what differs from what the kernel holds. True when it wrote. */
  ensure(key: Key, value: Value): boolean {
    const bytes = this.#value.encode(value);
    const held = this.map.lookup(this.#key.encode(key));
    if (held && Buffer.compare(held, bytes) === 0) return false;
    this.set(key, value);
    return true;
  }

  delete(key: Key): boolean {
    return this.map.delete(this.#key.encode(key));
  }

  fill(): MapFill {
    return { entries: [...this.map.entries()].length, max: this.map.info.maxEntries };
  }

  /** Keys whose values pass. */
  keysWhere(passes: (value: Value) => boolean): Key[] {
    return [...this.map.entries()].flatMap(([key, value]) =>
      passes(this.#value.decode(value)) ? [this.#key.decode(key)] : [],
    );
  }

  *entries(): Generator<[Key, Value]> {
    for (const [key, value] of this.map.entries()) yield [this.#key.decode(key), this.#value.decode(value)];
  }
}

function mapFull(name: string, max: number, setting: string, cause?: unknown): EbpfError {
  const message = `the map ${name} has room for ${max} entries and is full: raise ${setting} and restart the agent`;
  return new EbpfError("ERR_MAP_FULL", message, { cause });
}

/** Whether so many entries have room in a map. Throws `ERR_MAP_FULL`, as writing them would. */
export function requireRoom(name: string, entries: number, max: number, setting: string): void {
  if (entries > max) throw mapFull(name, max, setting);
}
