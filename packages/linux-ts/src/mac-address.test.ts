import { describe, expect, it } from "vitest";
import { formatMac, parseMac } from "./mac-address.ts";

describe("MAC addresses", () => {
  it("are lower-case with colons, whatever they were", () => {
    expect(formatMac(parseMac("02:0A:ff:00:01:9b"))).toBe("02:0a:ff:00:01:9b");
    expect(formatMac(new Uint8Array())).toBe("");
  });

  it.each(["", "02:0a:ff:00:01", "02:0a:ff:00:01:9b:00", "02-0a-ff-00-01-9b", "2:a:ff:0:1:9b", "02:0a:ff:00:01:9g"])(
    "refuse %j",
    (text) => {
      expect(() => parseMac(text)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    },
  );
});
