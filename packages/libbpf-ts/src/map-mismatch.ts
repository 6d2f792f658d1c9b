import { layoutDifferences, type TypeLayout } from "./btf-layout.ts";

/** The parts of a map that an existing one must share with the declared one to be used in its place. */
export interface MapShape {
  readonly type: string;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
}

/** What lies where in keys and values. */
export interface MapLayout {
  readonly key: TypeLayout;
  readonly value: TypeLayout;
}

/** `BPF_F_RDONLY_PROG`: the kernel adds it to device maps by itself (dev_map_init_map() in kernel/bpf/devmap.c). */
const RDONLY_PROG = 0x80;

/**
 * How an existing map differs from the declared one: a phrase for each field, none when it can be reused. The rule is libbpf's
 * for pinned maps, map_is_reuse_compat(); bpf_map__reuse_fd() itself compares nothing.
 */
export function mapMismatch(declared: MapShape, existing: MapShape): string[] {
  const fields = ["type", "keySize", "valueSize", "maxEntries", "flags"] as const;
  const real = existing.type.startsWith("devmap") ? { ...existing, flags: existing.flags & ~RDONLY_PROG } : existing;
  return fields
    .filter((field) => declared[field] !== real[field])
    .map((field) => `${field} is ${real[field]}, declared ${declared[field]}`);
}

/** The same of what lies in keys and values. libbpf compares sizes only, and a program would read a member where another one is. */
export function layoutMismatch(declared: MapLayout, existing: MapLayout): string[] {
  return (["key", "value"] as const).flatMap((part) => layoutDifferences(declared[part], existing[part], part));
}
