import { describe, expect, it } from "vitest";
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from "./ip-address.ts";
import { randomBytes } from "./testing/random.ts";

const invalid = expect.objectContaining({ name: "LinuxError", code: "ERR_INVALID_ARGUMENT" });

describe("formatAddress and parseAddress", () => {
  it.each([
    ["198.18.0.1", "198.18.0.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:DB8::A", "2001:db8::a"],
    ["2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"],
    // RFC 5952 section 4.2.2: one zero group is not shortened; 4.2.3: the longest run is, of equals the first.
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["0:0:1:2:3:4:5:6", "::1:2:3:4:5:6"],
    ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
    ["::ffff:c612:1", "::ffff:198.18.0.1"],
    ["::ffff:198.18.0.1", "::ffff:198.18.0.1"],
    ["64:ff9b::198.18.0.1", "64:ff9b::c612:1"],
  ])("writes %s as %s", (text, canonical) => {
    expect(formatAddress(parseAddress(text))).toBe(canonical);
  });

  it("gives back any bytes, and text that the platform reads the same", () => {
    const random = randomBytes(5952);
    for (let i = 0; i < 2000; i++) {
      // Sparse addresses, so that runs of zeros of all lengths and places occur.
      const mask = random(8);
      const bytes = random(16).map((byte, at) => ((mask[at >> 1] ?? 0) < 160 ? 0 : byte));
      const text = formatAddress(bytes);
      expect(parseAddress(text), text).toEqual(bytes);
      expect(new URL(`http://[${text}]/`).hostname, text).toBe(`[${undotted(text)}]`);
    }
  });

  it.each([
    "",
    "localhost",
    "198.18.0",
    "198.18.0.256",
    "198.18.0.01",
    " 198.18.0.1",
    "198.18.0.1/32",
    "1::2::3",
    ":::",
    "fe80::1%eth0",
    "12345::",
    "1:2:3:4:5:6:7",
    "::1.2.3",
  ])("refuses %j", (text) => {
    expect(() => parseAddress(text)).toThrow(invalid);
  });

  it("refuses other lengths than 4 and 16", () => {
    for (const length of [0, 3, 5, 15, 17]) {
      expect(() => formatAddress(new Uint8Array(length))).toThrow(expect.objectContaining({ code: "ERR_MALFORMED" }));
    }
  });
});

/** URLs write the IPv4 part of mapped addresses in hexadecimal. */
function undotted(text: string): string {
  const mapped = /^::ffff:(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (mapped === null) return text;
  const [a = 0, b = 0, c = 0, d = 0] = mapped.slice(1).map(Number);
  return `::ffff:${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

describe("parsePrefix", () => {
  it.each([
    ["198.18.0.0/15", { family: 4, length: 15 }],
    ["0.0.0.0/0", { family: 4, length: 0 }],
    ["198.18.0.1", { family: 4, length: 32 }],
    ["::/0", { family: 6, length: 0 }],
    ["2001:2::/48", { family: 6, length: 48 }],
    ["2001:2::1", { family: 6, length: 128 }],
  ])("reads %s", (text, expected) => {
    const prefix = parsePrefix(text);
    expect(prefix).toMatchObject(expected);
    expect(formatPrefix(prefix.family, prefix.bytes, prefix.length)).toBe(
      text.includes("/") ? text : `${text}/${expected.length}`,
    );
  });

  it.each([
    "198.18.0.0/33",
    "::/129",
    "198.18.0.0/",
    "198.18.0.0/-1",
    "198.18.0.0/ 8",
    "198.18.0.0/08",
    "198.18.0.0/1e1",
    "198.18.0.0/15/15",
    "198.19.0.0/14",
    "198.18.0.1/31",
    "2001:2::1/127",
    "2001:2:0:1::/48",
  ])("refuses %s", (text) => {
    expect(() => parsePrefix(text)).toThrow(invalid);
  });

  it("takes an absent address for zeros", () => {
    expect(formatPrefix(4, undefined, 0)).toBe("0.0.0.0/0");
    expect(formatPrefix(6, undefined, 0)).toBe("::/0");
  });
});
