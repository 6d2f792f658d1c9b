import { closeSync, openSync, readSync } from "node:fs";

const FIRST_BYTES = 1 << 16;
const LINE_FEED = 0x0a;

/**
 * The lines of a file, without their line feeds, in constant memory. Synchronous, as replay is: whoever replays waits for nothing but the
 * processor. A last line without a line feed counts; nothing after the last line feed is no line.
 */
export function* linesOf(path: string): Generator<string> {
  const fd = openSync(path, "r");
  try {
    let buffer = Buffer.allocUnsafe(FIRST_BYTES);
    /** Bytes of a line of which the end has not been read yet. */
    let begun = 0;
    for (;;) {
      if (begun === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
      const size = readSync(fd, buffer, begun, buffer.length - begun, null);
      if (size === 0) break;
      const filled = begun + size;
      const end = buffer.subarray(0, filled).lastIndexOf(LINE_FEED);
      // Whole lines only, so that no character is cut in two.
      if (end >= 0) yield* buffer.toString("utf8", 0, end).split("\n");
      buffer.copyWithin(0, end + 1, filled);
      begun = filled - (end + 1);
    }
    if (begun > 0) yield buffer.toString("utf8", 0, begun);
  } finally {
    closeSync(fd);
  }
}
