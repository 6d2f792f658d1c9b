import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { LinuxError } from "./errors.ts";

/** What addon/ exports. Descriptors of namespaces are -1 for "where the thread is". Failures are Errors with errno and syscall. */
export interface Native {
  netlinkRequest(netns: number, protocol: number, type: number, flags: number, payload: Uint8Array): Uint8Array;
  /** On a thread of libuv's pool; the namespace may be closed as soon as this returns. */
  netlinkRequestAsync(
    netns: number,
    protocol: number,
    type: number,
    flags: number,
    payload: Uint8Array,
  ): Promise<Uint8Array>;
  monitorOpen(
    netns: number,
    protocol: number,
    groups: Uint8Array,
    receiveBuffer: number,
    knownNamespaces: boolean,
    callback: (batch: Uint8Array, errno: number) => void,
  ): NativeMonitor;
  monitorClose(monitor: NativeMonitor): void;
  monitorRef(monitor: NativeMonitor, on: boolean): void;
  namespaceType(fd: number): number;
  sysctlRead(netns: number, path: string): string;
  sysctlWrite(netns: number, path: string, value: string): void;
  peerCredentials(fd: number): [pid: number, uid: number, gid: number];
  lockDescriptor(fd: number): boolean;
  packetOpen(netns: number, filter: Uint8Array, receiveBuffer: number): number;
  packetRead(fd: number, room: Uint8Array, longest: number): number;
  packetDrops(fd: number): number;
  renameExchange(first: string, second: string): void;
}

declare const monitorBrand: unique symbol;
export interface NativeMonitor {
  readonly [monitorBrand]: true;
}

function load(): Native {
  // The same place from src/ and from dist/.
  const path = fileURLToPath(new URL("../build/linux.node", import.meta.url));
  try {
    return createRequire(import.meta.url)(path) as Native;
  } catch (cause) {
    throw new LinuxError("ERR_ADDON", `cannot load ${path}: run make in the package's directory`, { cause });
  }
}

export const native: Native = load();
