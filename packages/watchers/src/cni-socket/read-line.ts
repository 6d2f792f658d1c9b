import type { Socket } from "node:net";

export type ReadLine =
  | { readonly line: string }
  /** `too-long`: no line feed within the limit. `timeout`: not all of it in time. `closed`: the peer went away first, or `signal` said to stop. */
  | { readonly line?: undefined; readonly failure: "too-long" | "timeout" | "closed" };

/**
 * Reads one line, its line feed left out, and pauses the socket: never more than `limit` bytes (and what the kernel's socket buffer
 * holds) are kept for a peer, however much it sends. `timeoutMs` is for the whole line, so that a byte now and then keeps nothing open.
 * The end of the stream ends the line too: what was cut short is then no JSON.
 */
export function readLine(socket: Socket, limit: number, timeoutMs: number, signal: AbortSignal): Promise<ReadLine> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;

    const settle = (result: ReadLine) => {
      clearTimeout(timer);
      socket.pause();
      socket.off("data", onData).off("end", onEnd).off("close", onGone);
      signal.removeEventListener("abort", onGone);
      resolve(result);
    };
    const timer = setTimeout(() => settle({ failure: "timeout" }), timeoutMs);
    const onData = (chunk: Buffer) => {
      const feed = chunk.indexOf(0x0a);
      const part = feed < 0 ? chunk : chunk.subarray(0, feed);
      length += part.length;
      if (length >= limit) return settle({ failure: "too-long" });
      chunks.push(part);
      if (feed >= 0) settle({ line: Buffer.concat(chunks).toString("utf8") });
    };
    const onEnd = () => settle(length === 0 ? { failure: "closed" } : { line: Buffer.concat(chunks).toString("utf8") });
    const onGone = () => settle({ failure: "closed" });
    if (signal.aborted || socket.destroyed) return onGone();
    signal.addEventListener("abort", onGone, { once: true });
    socket.on("data", onData).on("end", onEnd).on("close", onGone).resume();
  });
}
