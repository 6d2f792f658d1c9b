import { Btf } from "./btf.ts";
import { layoutOf } from "./btf-layout.ts";
import { LibbpfError } from "./errors.ts";
import { HANDLE } from "./fd-owner.ts";
import type { BpfMap } from "./map.ts";
import type { MapLayout } from "./map-mismatch.ts";
import { type NativeTypes, native } from "./native.ts";

/** Undefined: the map names no types. */
export function layoutOfTypes(btf: Btf, { keyTypeId, valueTypeId }: NativeTypes): MapLayout | undefined {
  if (keyTypeId === 0 || valueTypeId === 0) return undefined;
  return { key: layoutOf(btf, keyTypeId), value: layoutOf(btf, valueTypeId) };
}

/** The layout of a map as the kernel knows it. Undefined: it was made without types, or this process may not ask for them. */
export function kernelLayout(map: BpfMap, known: Map<number, Btf>): MapLayout | undefined {
  const types = native.mapTypes(map[HANDLE]);
  if (types === undefined) return undefined;
  let btf = known.get(types.btfId);
  if (btf === undefined) {
    const bytes = permitted(() => native.btfById(types.btfId));
    if (bytes === undefined) return undefined;
    btf = Btf.parse(bytes);
    known.set(types.btfId, btf);
  }
  return layoutOfTypes(btf, types);
}

/**
 * What lies where in keys and values of a map, as the kernel keeps it. Undefined: the map was made without types, or is one of sockets
 * or of maps, for which the kernel keeps none; or this process has no CAP_SYS_ADMIN.
 * @throws {LibbpfError} ERR_BTF, ERR_CLOSED
 */
export function mapLayout(map: BpfMap): MapLayout | undefined {
  return kernelLayout(map, new Map());
}

/** BPF_BTF_GET_FD_BY_ID is for CAP_SYS_ADMIN only (bpf_btf_get_fd_by_id() in kernel/bpf/syscall.c). */
function permitted<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (error instanceof LibbpfError && error.code === "EPERM") return undefined;
    throw error;
  }
}
