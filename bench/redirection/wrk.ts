import { fileURLToPath } from "node:url";
import type { Load } from "./loads.ts";
import type { Counted } from "./sample.ts";

const SCRIPT = fileURLToPath(new URL("../rig/report.lua", import.meta.url));

/** wrk counts whole seconds. */
export const wrkCommand = ({ connections, isClosing }: Load, url: string, seconds: number): string[] => [
  "wrk",
  "-t1",
  `-c${connections}`,
  `-d${Math.max(1, Math.round(seconds))}s`,
  ...(isClosing === true ? ["-H", "Connection: close"] : []),
  "-s",
  SCRIPT,
  url,
];

/** The line that the script writes, among wrk's own. Its latencies are microseconds. */
export function readWrk(output: string): Counted {
  const line = output.split("\n").find((line) => line.startsWith("{"));
  if (line === undefined) throw new Error(`wrk has counted nothing: ${output}`);
  const { requests, microseconds, bytes, failed, p50, p75, p99 } = JSON.parse(line);
  return { requests, seconds: microseconds / 1e6, bytes, failed, p50: p50 / 1e3, p75: p75 / 1e3, p99: p99 / 1e3 };
}
