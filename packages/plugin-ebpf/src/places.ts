import { join } from "node:path";
import type { BpfMap } from "libbpf-ts";
import type { EbpfConfig } from "./config.ts";
import type { ObjectPlace } from "./load-object.ts";
import { sizesOf } from "./map-sizes.ts";
import { NODE_OBJECT, PROXY_OBJECT } from "./objects.ts";
import type { Pins } from "./pins.ts";

/** Where the node's object is pinned. */
export function nodePlace({ maps, programs }: Pins, config: EbpfConfig): ObjectPlace {
  return {
    elf: NODE_OBJECT,
    maps,
    programs,
    shared: new Map(),
    maxEntries: sizesOf(config),
    expendable: ["counters"],
  };
}

/** Where a proxy's object is pinned. `directory` is its slot's, `shared` are the node's maps. */
export function proxyPlace(directory: string, shared: ReadonlyMap<string, BpfMap>): ObjectPlace {
  return {
    elf: PROXY_OBJECT,
    maps: join(directory, "maps"),
    programs: join(directory, "programs"),
    shared,
    maxEntries: {},
    expendable: [],
  };
}
