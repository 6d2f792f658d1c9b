import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Path of a compiled test object: test-objects/<name>.bpf.c, built by make. */
export function testObject(name: string): string {
  return fileURLToPath(new URL(`../../build/test-objects/${name}.bpf.o`, import.meta.url));
}

/** The calling thread's network namespace, as `net:[inode]`. */
export function currentNetns(): string {
  return readlinkSync("/proc/thread-self/ns/net");
}

/** How many file descriptors this process has; the one that reads the directory is always among them. */
export function openFds(): number {
  return readdirSync("/proc/self/fd").length;
}

/** A number of /proc/self/status, for instance VmRSS in KiB. */
export function processStatus(field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}

/** `u32` in the kernel's byte order on this machine, which is little-endian wherever Node runs. */
export function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

export function u64(value: number | bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
}

export function readU32(bytes: Uint8Array | undefined, offset = 0): number {
  if (bytes === undefined) throw new Error("there is no value");
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}

export function readU64(bytes: Uint8Array | undefined): number {
  if (bytes === undefined) throw new Error("there is no value");
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}

/** A minimal IPv4 frame: Ethernet header and 46 bytes. */
export function frame(): Uint8Array {
  const bytes = new Uint8Array(60);
  bytes[12] = 0x08;
  bytes[14] = 0x45;
  return bytes;
}
