import type { Readable } from "node:stream";
import { errorMessage } from "@millrace/core/internal";
import { WatcherError } from "../errors.ts";

/** The bytes of an answer as they come. Throws ERR_KUBERNETES_UNREACHABLE when the connection breaks, or the watchers' error that ended it. */
export async function* readChunks(body: Readable, what: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) yield chunk;
  } catch (cause) {
    if (cause instanceof WatcherError) throw cause;
    const message = `the connection broke during ${what}: ${errorMessage(cause)}`;
    throw new WatcherError("ERR_KUBERNETES_UNREACHABLE", message, { cause });
  }
}
