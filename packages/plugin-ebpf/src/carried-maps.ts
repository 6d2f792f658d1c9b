import { existsSync, linkSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "@millrace/core/internal";
import { BpfMap, BpfObject, layoutDifferences, type MapInfo, type MapLayout, type MapSpec, mapLayout } from "libbpf-ts";
import { attempt } from "./errors.ts";
import type { ObjectPlace } from "./load-object.ts";
import { type Convert, conversion, conversionProblems, memberOf } from "./map-conversion.ts";

/**
 * Two programs speak by these about one and the same packet, and the two cannot be exchanged in one step: they keep their layout for
 * good. What has to be said otherwise is said in a map of another name, which programs of one version write beside the old one.
 */
export const SPOKEN: readonly string[] = ["questions", "flows"];

/** Counted or found anew, or of use for the length of one packet: nothing is lost with what they hold. */
const RENEWED: readonly string[] = [
  "counters",
  "listeners",
  "packets",
  "unanswered",
  "events",
  "events_wanted",
  "events_of",
  "events_lost",
];

/** Of connections: written by programs, of the old version too until the last one is exchanged. */
const OF_CONNECTIONS: readonly string[] = ["via_host", "begun", "by_host", "adopted", "excluded"];

/** Of a member, and the only word of it that a program writes. */
const WORKLOADS = "workloads";
const WRITTEN_BY_PROGRAMS = "via_host";

/** What a map held when it was copied, by key, both in hex. */
type Copied = ReadonlyMap<string, string>;

interface Carried {
  readonly name: string;
  /** The new programs use the very same map. */
  readonly isShared: boolean;
  readonly key: Convert;
  readonly value: Convert;
  /** Of `value`, before and after. */
  readonly layouts: readonly [MapLayout, MapLayout];
}

/**
 * The maps of one object that another layout version has pinned in `from`, for this version in `to`. One whose layout is the same is
 * shared: both versions' programs use it, so that there is no moment in which one of them does not know what the other has seen. Any
 * other one is copied, member by member and by name, as the kernel knows the types of either.
 */
export class CarriedMaps {
  readonly #from: string;
  readonly #to: string;
  readonly #carried: readonly Carried[];
  readonly #copied = new Map<string, Copied>();
  /** Why they cannot be carried over, a phrase for each reason. */
  readonly problems: readonly string[];

  /** Only reads. `place`: where this version pins the object; `isNewer`: a newer version than this one made what is in `from`. */
  constructor(place: ObjectPlace, from: string, isNewer: boolean) {
    this.#from = from;
    this.#to = place.maps;
    using object = attempt(`opening ${place.elf}`, () => BpfObject.open(place.elf));
    const problems: string[] = [];
    const carry = (spec: MapSpec): Carried[] => {
      const pin = join(from, spec.name);
      if (!existsSync(pin)) return [];
      using map = attempt(`opening ${pin}`, () => BpfMap.openPinned(pin));
      const declared = object.layout(spec.name);
      const held = mapLayout(map);
      const isShared =
        isSame(spec, map.info, spec.name in place.maxEntries) && differences(declared, held).length === 0;
      // Sockets and scratch: of some of them the kernel keeps no types.
      if (RENEWED.includes(spec.name)) return isShared ? [shared(spec.name)] : [];
      if (!declared || !held) {
        problems.push(`${spec.name}: the kernel does not tell its types`);
        return [];
      }
      if (!isShared) {
        if (SPOKEN.includes(spec.name)) problems.push(`${spec.name} has another layout, which it has to keep`);
        if (spec.type !== map.info.type) problems.push(`${spec.name} is a ${map.info.type}, here a ${spec.type}`);
        problems.push(...conversionProblems(held.key, declared.key, `${spec.name}: key`, isNewer));
        problems.push(...conversionProblems(held.value, declared.value, `${spec.name}: value`, isNewer));
      }
      const key = conversion(held.key, declared.key);
      const value = conversion(held.value, declared.value);
      return [{ name: spec.name, isShared, key, value, layouts: [held, declared] }];
    };
    this.#carried = object.mapSpecs.flatMap(carry);
    this.problems = problems;
  }

  /** Pins those that are shared in their new place too: before the object is loaded, which makes the others. */
  share(): void {
    for (const { name, isShared } of this.#carried) {
      if (isShared && !existsSync(join(this.#to, name))) linkSync(join(this.#from, name), join(this.#to, name));
    }
  }

  /** Fills the maps that are not shared. Throws `ERR_LAYOUT_MISMATCH` for a number that does not fit, `ERR_KERNEL` for a full map. */
  copy(): void {
    for (const carried of this.#carried) {
      if (carried.isShared) continue;
      using from = BpfMap.openPinned(join(this.#from, carried.name));
      using to = BpfMap.openPinned(join(this.#to, carried.name));
      const copied = new Map<string, string>();
      for (const [key, value] of from.entries()) {
        copied.set(hex(key), hex(value));
        attempt(`carrying over the map ${carried.name}`, () => to.update(carried.key(key), carried.value(value)));
      }
      this.#copied.set(carried.name, copied);
    }
  }

  /**
   * What programs of the other version have written since {@link copy}, when none of them runs any more. After a crash in between nothing
   * is known of what was copied: then an entry that was deleted in the new map meanwhile may come back, and goes as any old one does.
   */
  catchUp(): void {
    for (const carried of this.#carried) {
      const pins = [this.#from, this.#to].map((directory) => join(directory, carried.name));
      if (!pins.every((pin) => existsSync(pin))) continue;
      using from = BpfMap.openPinned(pins[0] as string);
      using to = BpfMap.openPinned(pins[1] as string);
      // Also of the same layout, where the configuration wants it larger.
      if (from.info.id === to.info.id) continue;
      if (carried.name === WORKLOADS) catchUpWorkloads(carried, from, to);
      else if (OF_CONNECTIONS.includes(carried.name))
        catchUpConnections(carried, from, to, this.#copied.get(carried.name));
    }
  }
}

/** `isResizable`: how large it is the configuration decides, and loading sees to it. */
function isSame(spec: MapSpec, info: MapInfo, isResizable: boolean): boolean {
  const parts = ["type", "flags", "keySize", "valueSize"] as const;
  return parts.every((part) => spec[part] === info[part]) && (isResizable || spec.maxEntries === info.maxEntries);
}

function differences(declared: MapLayout | undefined, held: MapLayout | undefined): string[] {
  if (!declared || !held) return [];
  return (["key", "value"] as const).flatMap((part) => layoutDifferences(declared[part], held[part], part));
}

const same: Convert = (bytes) => bytes;
const UNKNOWN: MapLayout = { key: { size: 0, fields: [] }, value: { size: 0, fields: [] } };
const shared = (name: string): Carried => ({
  name,
  isShared: true,
  key: same,
  value: same,
  layouts: [UNKNOWN, UNKNOWN],
});

function catchUpWorkloads({ key, layouts: [before, after] }: Carried, from: BpfMap, to: BpfMap): void {
  for (const [oldKey, oldValue] of from.entries()) {
    const written = memberOf(oldValue, before.value, WRITTEN_BY_PROGRAMS);
    const value = to.lookup(key(oldKey));
    const place = value && memberOf(value, after.value, WRITTEN_BY_PROGRAMS);
    if (!written?.some((byte) => byte !== 0) || !value || !place || place.some((byte) => byte !== 0)) continue;
    place.set(written.subarray(0, place.length));
    to.update(key(oldKey), value, "exist");
  }
}

function catchUpConnections({ key, value }: Carried, from: BpfMap, to: BpfMap, copied: Copied | undefined): void {
  for (const [oldKey, oldValue] of from.entries()) {
    const before = copied?.get(hex(oldKey));
    if (before === hex(oldValue)) continue;
    const newKey = key(oldKey);
    const held = to.lookup(newKey);
    const isUntouched = held && before !== undefined && hex(held) === hex(value(Buffer.from(before, "hex")));
    if (held === undefined ? before === undefined : isUntouched) writeUnlessGone(to, newKey, value(oldValue), !held);
  }
}

/** A program of the new version may come first: it knows better. */
function writeUnlessGone(map: BpfMap, key: Uint8Array, value: Uint8Array, isNew: boolean): void {
  try {
    map.update(key, value, isNew ? "noexist" : "exist");
  } catch (error) {
    if (!["EEXIST", "ENOENT"].includes(errorCode(error))) throw error;
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
