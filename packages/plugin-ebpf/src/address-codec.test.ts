import { describe, expect, it } from "vitest";
import { decodeAddress, encodeAddress } from "./address-codec.ts";

describe("address codec", () => {
  it("writes IPv4 as a mapped address", () => {
    expect(Buffer.from(encodeAddress("198.18.1.11")).toString("hex")).toBe("00000000000000000000ffffc612010b");
  });

  it.each([
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["2001:2::", "20010002000000000000000000000000"],
    ["2001:2:0:1::b", "2001000200000001000000000000000b"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["::ffff:198.18.1.11", "00000000000000000000ffffc612010b"],
    ["64:ff9b::198.18.1.11", "0064ff9b0000000000000000c612010b"],
  ])("writes %s", (text, hex) => {
    expect(Buffer.from(encodeAddress(text)).toString("hex")).toBe(hex);
  });

  it.each(["198.18.1.11", "2001:2:0:1::b", "::", "::1", "fe80::1", "1:2:3:4:5:6:7:8"])("reads %s back", (text) => {
    expect(decodeAddress(encodeAddress(text))).toBe(text);
  });

  it("has one text form for an address", () => {
    expect(decodeAddress(encodeAddress("2001:0002:0000:0001:0:0:0:000B"))).toBe("2001:2:0:1::b");
    expect(decodeAddress(encodeAddress("::ffff:198.18.1.11"))).toBe("198.18.1.11");
  });

  it.each(["", "198.18.1", "198.18.1.256", "fe80::1%eth0", "host", "[::1]"])("refuses %j", (text) => {
    expect(() => encodeAddress(text)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
  });

  it("refuses a wrong length", () => {
    expect(() => decodeAddress(new Uint8Array(5))).toThrow(expect.objectContaining({ code: "ERR_MALFORMED" }));
  });
});
