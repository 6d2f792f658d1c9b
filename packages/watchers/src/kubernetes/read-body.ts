import type { Readable } from "node:stream";
import { WatcherError } from "../errors.ts";
import { readChunks } from "./read-chunks.ts";

export interface BodyLimits {
  readonly maxBytes: number;
  /** Longest wait for more. A slow body is fine as long as it moves. */
  readonly idleMs: number;
}

/** All of a body as text. Rejects with ERR_KUBERNETES_SILENT, ERR_KUBERNETES_ANSWER when it is larger than `maxBytes`, or as the stream does. */
export async function readBody(body: Readable, what: string, { maxBytes, idleMs }: BodyLimits): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(() => {
    body.destroy(new WatcherError("ERR_KUBERNETES_SILENT", `the answer to ${what} stopped half-way for ${idleMs} ms`));
  }, idleMs);
  try {
    for await (const chunk of readChunks(body, what)) {
      timer.refresh();
      bytes += chunk.length;
      if (bytes > maxBytes) {
        throw new WatcherError("ERR_KUBERNETES_ANSWER", `the answer to ${what} is larger than ${maxBytes} bytes`);
      }
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks, bytes).toString("utf8");
}
