import { describe, expect, it } from "vitest";
import { readSysctl, writeSysctl } from "./sysctl.ts";

const invalid = expect.objectContaining({ name: "LinuxError", code: "ERR_INVALID_ARGUMENT" });

describe("sysctl paths", () => {
  it.each([
    "",
    "/net/ipv4/ip_forward",
    "net/ipv4/",
    "net//ipv4",
    "../sys/net/ipv4/ip_forward",
    "net/../kernel/hostname",
    "net/./ipv4/ip_forward",
    "net/ipv4/conf/a b/rp_filter",
    "net/ipv4\0/ip_forward",
  ])("refuse %j", (path) => {
    expect(() => readSysctl(undefined, path)).toThrow(invalid);
    expect(() => writeSysctl(undefined, path, "1")).toThrow(invalid);
  });

  it("refuse a value with a zero byte", () => {
    expect(() => writeSysctl(undefined, "net/ipv4/ip_forward", "1\0")).toThrow(invalid);
  });
});
