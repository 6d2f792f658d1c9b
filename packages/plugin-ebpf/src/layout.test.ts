import { describe, expect, it } from "vitest";
import {
  COUNTER_COUNT,
  counterName,
  memberCodec,
  proxyCodec,
  SETTING_ROUTED,
  settingsCodec,
  u32Codec,
  WORKLOAD_PASSING,
  workloadCodec,
} from "./layout.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

// Both machines Millrace is built for, x64 and arm64, are little-endian.
describe("layout on a little-endian host", () => {
  it("writes settings as one word", () => {
    expect(hex(settingsCodec.encode({ active: 3, draining: 0b101, flags: SETTING_ROUTED }))).toBe("0305020000000000");
  });

  it("writes a proxy", () => {
    expect(hex(proxyCodec.encode({ ifindex: 7, netnsid: 1, mac: "02:00:00:00:00:fe", flags: 0 }))).toBe(
      "07000000010000000200000000fe0000",
    );
  });

  it("writes a workload", () => {
    expect(
      hex(workloadCodec.encode({ flags: WORKLOAD_PASSING, via_host: 0, adopt_until_ns: 0x0102030405060708n })),
    ).toBe("01000000000000000807060504030201");
  });

  it("writes a member", () => {
    expect(hex(memberCodec.encode({ ifindex: 9, mac: "aa:bb:cc:dd:ee:ff" }))).toBe("09000000aabbccddeeff0000");
  });
});

describe("layout", () => {
  it("reads back what it wrote", () => {
    const settings = { active: 1, draining: 2, flags: 3 };
    expect(settingsCodec.decode(settingsCodec.encode(settings))).toEqual(settings);
    const proxy = { ifindex: 4_000_000_000, netnsid: 12, mac: "02:4d:52:00:00:01", flags: 1 };
    expect(proxyCodec.decode(proxyCodec.encode(proxy))).toEqual(proxy);
    const workload = { flags: 1, via_host: 1, adopt_until_ns: 2n ** 63n };
    expect(workloadCodec.decode(workloadCodec.encode(workload))).toEqual(workload);
    expect(u32Codec.decode(u32Codec.encode(0xdead_beef))).toBe(0xdead_beef);
  });

  it("reads from the middle of a larger buffer", () => {
    const bytes = new Uint8Array(20);
    bytes.set(settingsCodec.encode({ active: 1, draining: 2, flags: 0 }), 7);
    expect(settingsCodec.decode(bytes.subarray(7, 15))).toEqual({ active: 1, draining: 2, flags: 0 });
  });

  it("refuses a value of another size", () => {
    expect(() => settingsCodec.decode(new Uint8Array(7))).toThrow(RangeError);
  });

  it("names every counter once", () => {
    const names = Array.from({ length: COUNTER_COUNT }, (_, index) => counterName(index));
    expect(new Set(names).size).toBe(COUNTER_COUNT);
    expect(names[1]).toBe("app_outbound.captured");
    expect(names[16]).toBe("app_inbound.passed");
    expect(names).not.toContain(undefined);
    expect(counterName(COUNTER_COUNT)).toBeUndefined();
  });
});
