import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { readLines } from "./read-lines.ts";

const text = "one\n\nzwei größer\r\n{}\nhalf";

async function lines(chunks: readonly Buffer[], maxBytes = 100): Promise<string[]> {
  const read: string[] = [];
  for await (const line of readLines(Readable.from(chunks), "a test", maxBytes)) read.push(line);
  return read;
}

test("lines are the same wherever the bytes are cut", async () => {
  const bytes = Buffer.from(text);
  for (let size = 1; size <= bytes.length; size++) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    expect(await lines(chunks)).toEqual(["one", "zwei größer\r", "{}"]);
  }
});

test("a line without end is refused before it fills the memory", async () => {
  const endless = Array.from({ length: 50 }, () => Buffer.alloc(10, "x"));
  await expect(lines(endless)).rejects.toMatchObject({
    code: "ERR_KUBERNETES_ANSWER",
    message: /longer than 100 bytes/,
  });
});
