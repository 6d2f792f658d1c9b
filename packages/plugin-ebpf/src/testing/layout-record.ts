import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BpfObject, layoutDifferences, type TypeLayout } from "libbpf-ts";
import { LAYOUT_VERSION } from "../layout.ts";
import { NODE_OBJECT, PROXY_OBJECT } from "../objects.ts";

/** A map as its pin keeps it: what an agent of the same layout version relies on. How many entries it has is not part of that. */
export interface RecordedMap {
  readonly type: string;
  readonly flags: number;
  readonly key: TypeLayout;
  readonly value: TypeLayout;
}

/** All maps of both objects by `object/name`. */
export type LayoutRecord = Readonly<Record<string, RecordedMap>>;

/** Where the maps of a layout version are written down, for good. */
export const RECORD = fileURLToPath(new URL(`../../layouts/v${LAYOUT_VERSION}.json`, import.meta.url));

/** As `make record-layout` left it; undefined for a version that was never written down. */
export function recordedLayout(): LayoutRecord | undefined {
  return existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, "utf8")) : undefined;
}

/** As the compiler laid it out. */
export function compiledLayout(): LayoutRecord {
  return { ...mapsOf("node", NODE_OBJECT), ...mapsOf("proxy", PROXY_OBJECT) };
}

/**
 * What of `compiled` programs and agents that know `recorded` would misread, a phrase for each. New maps and uses of reserved bytes are
 * none (docs/adr/0012).
 */
export function incompatibilities(recorded: LayoutRecord, compiled: LayoutRecord): string[] {
  return Object.entries(recorded).flatMap(([name, old]) => {
    const map = compiled[name];
    if (map === undefined) return [`${name} is gone`];
    return [
      ...(["type", "flags"] as const)
        .filter((field) => map[field] !== old[field])
        .map((field) => `${name}: ${field} is ${map[field]}, was ${old[field]}`),
      ...(["key", "value"] as const).flatMap((part) => layoutDifferences(old[part], map[part], `${name}: ${part}`)),
    ];
  });
}

function mapsOf(object: string, elf: string): LayoutRecord {
  using opened = BpfObject.open(elf);
  // A ring buffer has neither keys nor values: what is in it goes with whoever reads it.
  const typed = opened.mapSpecs.filter(({ type }) => type !== "ringbuf");
  const maps = typed.map(({ name, type, flags }): [string, RecordedMap] => {
    const layout = opened.layout(name);
    if (layout === undefined) throw new Error(`map ${name} of ${elf} is declared by sizes: give it types`);
    return [`${object}/${name}`, { type, flags, ...layout }];
  });
  return Object.fromEntries(maps);
}
