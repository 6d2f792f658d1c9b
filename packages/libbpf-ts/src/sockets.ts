import { HANDLE } from "./fd-owner.ts";
import { ATTACH_TYPES, type AttachType } from "./kernel-names.ts";
import type { BpfMap } from "./map.ts";
import { native } from "./native.ts";
import type { BpfProgram } from "./program.ts";

export type SocketAttachType = Extract<
  AttachType,
  "sk_msg_verdict" | "sk_skb_verdict" | "sk_skb_stream_verdict" | "sk_skb_stream_parser"
>;

export interface SocketMapAttachment {
  /** Of type `sk_msg` or `sk_skb`. */
  readonly program: BpfProgram;
  /** A `sockmap` or `sockhash`, whose sockets the program decides about. */
  readonly map: BpfMap;
  readonly attachType: SocketAttachType;
}

/**
 * Attaches a program to all sockets of a map, those that come later too. One program of each attach type: another one replaces it.
 * It goes with the map.
 * @throws {LibbpfError} EINVAL (another kind of map or program), ENOTSUP, EBUSY, ERR_CLOSED
 */
export function attachSocketMap({ program, map, attachType }: SocketMapAttachment): void {
  native.programAttach(program[HANDLE], map.fd, ATTACH_TYPES[attachType]);
}

/**
 * Takes that program off again.
 * @throws {LibbpfError} ENOENT (another one is there, or none), EINVAL, ERR_CLOSED
 */
export function detachSocketMap({ program, map, attachType }: SocketMapAttachment): void {
  native.programDetach(program[HANDLE], map.fd, ATTACH_TYPES[attachType]);
}

/**
 * Puts a socket into a `sockmap`, `sockhash` or `reuseport_sockarray`. It leaves by itself when it closes.
 * @param socket descriptor of a connected TCP socket, or of a listening, UDP or Unix socket where the kernel takes it
 * @throws {LibbpfError} ENOTSUP or EINVAL (not this kind or state of socket), EBADF, ENOTSOCK, E2BIG (full), ERR_CLOSED
 */
export function setSocket(map: BpfMap, key: Uint8Array, socket: number, mode?: "any" | "noexist" | "exist"): void {
  if (!Number.isInteger(socket) || socket < 0 || socket > 0x7fff_ffff)
    throw Object.assign(new RangeError(`no file descriptor: ${socket}`), { code: "ERR_OUT_OF_RANGE" });
  const value = new Uint8Array(map.info.valueSize);
  new DataView(value.buffer).setUint32(0, socket, true);
  map.update(key, value, mode);
}

/**
 * Cookie of the socket at a key (`SO_COOKIE`), undefined where there is none.
 * @throws {LibbpfError} ENOSPC (the map's values have 4 bytes: only those of 8 can be read), ERR_CLOSED
 */
export function socketCookie(map: BpfMap, key: Uint8Array): bigint | undefined {
  const value = map.lookup(key);
  return value && new DataView(value.buffer, value.byteOffset).getBigUint64(0, true);
}
