import { describe, expect, it } from "vitest";
import { slowness } from "./slow.ts";

describe("MILLRACE_SLOW", () => {
  it("is a factor", () => {
    expect([undefined, "", "1", "20", "1.5"].map(slowness)).toEqual([1, 1, 1, 20, 1.5]);
  });

  it.each(["fast", "0", "-3", "1000", "NaN"])("is not %s", (text) => {
    expect(() => slowness(text)).toThrow(/MILLRACE_SLOW/);
  });
});
