import { describe, expect, it } from "vitest";
import { untilConsistent } from "./request.ts";

describe("untilConsistent", () => {
  const message = { type: 16, flags: 0, payload: new Uint8Array() };

  it("reads again until nothing came in between, and keeps nothing of the other readings", () => {
    const readings = [
      { messages: [message, message], interrupted: true },
      { messages: [], interrupted: true },
      { messages: [message], interrupted: false },
    ];
    expect(untilConsistent(() => readings.shift() ?? { messages: [], interrupted: false })).toEqual([message]);
    expect(readings).toEqual([]);
  });

  it("gives up after 20 times", () => {
    let readings = 0;
    const read = () => {
      readings++;
      return { messages: [message], interrupted: true };
    };
    expect(untilConsistent(read)).toBeUndefined();
    expect(readings).toBe(20);
  });
});
