import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Netns } from "linux-ts";

const BPF = fileURLToPath(new URL("../..", import.meta.url));

export function buildTestPrograms(): void {
  execFileSync("make", ["-s", "-C", BPF, "test-programs"]);
}

/**
 * Sends Ethernet frames from a device as they are.
 * @param shape how the packet lies in memory: `paged` has its Ethernet header alone in the head
 */
export function sendFrames(
  netns: Netns,
  device: string,
  shape: "linear" | "paged",
  ...frames: readonly Uint8Array[]
): void {
  const input = frames.map((frame) => `${Buffer.from(frame).toString("hex")}\n`).join("");
  execFileSync("nsenter", [`--net=${netns.path}`, `${BPF}build/raw-frames`, device, shape], { input, timeout: 10_000 });
}
