/**
 * A file's bytes as text with one character per byte (ISO 8859-1). JSON's own characters are ASCII, so it can be parsed like this, and
 * offsets are those of the file; what is inside strings comes back as it was, also where it is no valid UTF-8, which the runtimes'
 * parser lets pass (Go's encoding/json).
 */
export type ByteText = string;

export const toText = (bytes: Uint8Array): ByteText => Buffer.from(bytes).toString("latin1");
export const toBytes = (text: ByteText): Buffer => Buffer.from(text, "latin1");

/** Text of ours, as the bytes it has in a file. */
export const asWritten = (text: string): ByteText => Buffer.from(text, "utf8").toString("latin1");
