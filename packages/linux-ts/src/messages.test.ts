import { describe, expect, it } from "vitest";
import { littleEndian, PayloadWriter, viewOf } from "./attributes.ts";
import { NLMSG_DONE, NLMSG_ERROR, splitMessages, verdictOf } from "./messages.ts";

const malformed = expect.objectContaining({ name: "LinuxError", code: "ERR_MALFORMED" });
const acknowledgementTlvs = 0x200;
const capped = 0x100;

function message(type: number, flags: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((16 + payload.length + 3) & ~3);
  const view = viewOf(bytes);
  view.setUint32(0, 16 + payload.length, littleEndian);
  view.setUint16(4, type, littleEndian);
  view.setUint16(6, flags, littleEndian);
  bytes.set(payload, 16);
  return bytes;
}

function errorPayload(errno: number, requestLength: number, echoed: number, text: string): Uint8Array {
  const head = new Uint8Array(4 + 16 + echoed);
  viewOf(head).setInt32(0, errno, littleEndian);
  viewOf(head).setUint32(4, requestLength, littleEndian);
  return Buffer.concat([head, new PayloadWriter().string(1, text).finish()]);
}

describe("splitMessages", () => {
  it("finds each message, padded or not", () => {
    const bytes = Buffer.concat([message(16, 2, Uint8Array.of(1)), message(17, 0, new Uint8Array())]);
    expect([...splitMessages(bytes)]).toEqual([
      { type: 16, flags: 2, payload: Buffer.of(1) },
      { type: 17, flags: 0, payload: Buffer.of() },
    ]);
  });

  it("refuses a message at every length that it is cut to", () => {
    const bytes = message(16, 0, Uint8Array.of(1, 2, 3, 4));
    for (let length = 1; length < bytes.length; length++) {
      expect(() => [...splitMessages(bytes.subarray(0, length))], `cut to ${length}`).toThrow(malformed);
    }
  });

  it("refuses a length below that of the header, instead of standing still", () => {
    const bytes = message(16, 0, new Uint8Array(4));
    viewOf(bytes).setUint32(0, 0, littleEndian);
    expect(() => [...splitMessages(bytes)]).toThrow(malformed);
  });
});

describe("verdictOf", () => {
  it("reads the kernel's text behind a capped and behind an echoed request", () => {
    for (const [flags, echoed] of [
      [acknowledgementTlvs | capped, 0],
      [acknowledgementTlvs, 12],
    ] as const) {
      const payload = errorPayload(-17, 28, echoed, "already there");
      expect(verdictOf({ type: NLMSG_ERROR, flags, payload })).toEqual({ errno: -17, text: "already there" });
    }
  });

  it("reads the text behind the end of a dump", () => {
    const payload = Buffer.concat([new Uint8Array(4), new PayloadWriter().string(1, "no such table").finish()]);
    viewOf(payload).setInt32(0, -2, littleEndian);
    const verdict = verdictOf({ type: NLMSG_DONE, flags: acknowledgementTlvs, payload });
    expect(verdict).toEqual({ errno: -2, text: "no such table" });
  });

  it("takes an end without status for success, and an error without status for malformed", () => {
    const payload = new Uint8Array();
    expect(verdictOf({ type: NLMSG_DONE, flags: 0, payload }).errno).toBe(0);
    expect(() => verdictOf({ type: NLMSG_ERROR, flags: 0, payload })).toThrow(malformed);
  });

  it("refuses an error that claims a longer request than it repeats", () => {
    const payload = errorPayload(-22, 4000, 0, "x");
    expect(verdictOf({ type: NLMSG_ERROR, flags: acknowledgementTlvs, payload })).toEqual({ errno: -22, text: "" });
    expect(() =>
      verdictOf({ type: NLMSG_ERROR, flags: acknowledgementTlvs, payload: payload.subarray(0, 12) }),
    ).toThrow(malformed);
  });
});
