import type { ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";

/** More in a second is not read before the next one begins: the plugin waits for its pipe, not the agent for the plugin. */
const PER_SECOND = 64 * 1024;
const LONGEST_LINE = 2_000;

/** Tells lines that a plugin prints by itself: `console.log`, a stack trace, a library's warnings. */
export function relayOutput({ stdout, stderr }: ChildProcess, tell: (line: string) => void): void {
  for (const stream of [stdout, stderr]) if (stream !== null) relay(stream, tell);
}

function relay(stream: Readable, tell: (line: string) => void): void {
  let rest = "";
  let read = 0;
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(-LONGEST_LINE);
    for (const line of lines) if (line !== "") tell(line.slice(0, LONGEST_LINE));
    read += chunk.length;
    if (read < PER_SECOND) return;
    read = 0;
    stream.pause();
    setTimeout(() => stream.resume(), 1000).unref();
  });
  stream.on("end", () => rest !== "" && tell(rest));
}
