import { readFileSync } from "node:fs";
import type { RowId } from "./rows.ts";

/** A frame that once told something: it found a planted bug, or is the smallest of its row. Lines of the fuzzer's findings fit in. */
export interface KeptFrame {
  readonly name: string;
  readonly row: RowId;
  /** Hexadecimal. */
  readonly frame: string;
}

export const CORPUS = JSON.parse(readFileSync(new URL("corpus.json", import.meta.url), "utf8")) as readonly KeptFrame[];
export const bytesOf = ({ frame }: KeptFrame): Uint8Array => Uint8Array.from(Buffer.from(frame, "hex"));
