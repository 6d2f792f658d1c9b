import type { Readable } from "node:stream";
import { WatcherError } from "../errors.ts";
import { readChunks } from "./read-chunks.ts";

const NEWLINE = 0x0a;

/**
 * The complete lines of a stream, wherever its chunks are cut. What comes after the last newline is half an event and is left out.
 * Throws ERR_KUBERNETES_ANSWER for a line longer than `maxBytes`, and what the stream throws.
 */
export async function* readLines(body: Readable, what: string, maxBytes: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of readChunks(body, what)) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = Buffer.concat([...parts, chunk.subarray(from, end)]).toString("utf8");
      parts = [];
      bytes = 0;
      from = end + 1;
      if (line.trim() !== "") yield line;
    }
    if (from === chunk.length) continue;
    parts.push(chunk.subarray(from));
    bytes += chunk.length - from;
    if (bytes > maxBytes) {
      throw new WatcherError("ERR_KUBERNETES_ANSWER", `a line of ${what} is longer than ${maxBytes} bytes`);
    }
  }
}
