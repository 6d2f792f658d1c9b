import { BpfMap, type UpdateMode } from "./map.ts";

/**
 * Puts a map into an `array_of_maps` or `hash_of_maps`. Programs see either the old one or the new one, whole. The outer map keeps it:
 * `inner` may be disposed.
 * @param inner of the shape that the outer map was made for
 * @throws {LibbpfError} EINVAL (another shape), ERR_CLOSED, and as {@link BpfMap.update}
 */
export function setInnerMap(outer: BpfMap, key: Uint8Array, inner: BpfMap, mode?: UpdateMode): void {
  outer.update(key, new Uint8Array(Uint32Array.of(inner.fd).buffer), mode);
}

/**
 * Opens the map at a key (needs CAP_SYS_ADMIN), undefined where there is none.
 * @throws {LibbpfError} EPERM, ENOENT (it was replaced and went this moment), ERR_CLOSED
 */
export function innerMap(outer: BpfMap, key: Uint8Array): BpfMap | undefined {
  const id = outer.lookup(key);
  return id && BpfMap.byId(new DataView(id.buffer, id.byteOffset).getUint32(0, true));
}
