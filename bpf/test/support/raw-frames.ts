import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Netns } from "linux-ts";

const BPF = fileURLToPath(new URL("../..", import.meta.url));

export function buildTestPrograms(): void {
  execFileSync("make", ["-s", "-C", BPF, "test-programs"]);
}

/**
 * How a packet lies in memory: `paged` has its Ethernet header alone in the head, `gso` begins with a struct virtio_net_hdr that says it,
 * `tap` is received by a tap, in pieces.
 */
export type MemoryShape = "linear" | "paged" | "gso" | "tap";

/** Sends Ethernet frames from a device as they are. */
export function sendFrames(netns: Netns, device: string, shape: MemoryShape, ...frames: readonly Uint8Array[]): void {
  const input = frames.map((frame) => `${Buffer.from(frame).toString("hex")}\n`).join("");
  execFileSync("nsenter", [`--net=${netns.path}`, `${BPF}build/raw-frames`, device, shape], { input, timeout: 60_000 });
}

/** Takes checksum offload from a device: what leaves by it has its checksum finished. */
export function finishChecksumsBySoftware(netns: Netns, device: string): void {
  execFileSync("nsenter", [`--net=${netns.path}`, `${BPF}build/checksums-by-software`, device]);
}
