import type { SharedMaps } from "./shared-maps.ts";

/** Addresses that have a flag (`ADDRESS_NODE`, `ADDRESS_PROXY`) in the kernel. */
export function flagged(maps: SharedMaps, flag: number): string[] {
  return [...maps.addresses.entries()].filter(([, flags]) => flags & flag).map(([address]) => address);
}

/** Gives these addresses a flag, and takes it from all others unless `keepOthers`. Other flags stay as they are. */
export function setFlag(maps: SharedMaps, flag: number, wanted: Iterable<string>, keepOthers = false): void {
  const addresses = new Set(wanted);
  const present = new Map(maps.addresses.entries());
  for (const address of addresses) {
    const flags = present.get(address) ?? 0;
    if (!(flags & flag)) maps.addresses.set(address, flags | flag);
  }
  if (keepOthers) return;
  for (const [address, flags] of present) {
    if (!(flags & flag) || addresses.has(address)) continue;
    if (flags === flag) maps.addresses.delete(address);
    else maps.addresses.set(address, flags & ~flag);
  }
}
