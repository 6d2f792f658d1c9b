import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readSysctl, writeSysctl } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

function inside({ path }: ScratchNetns, setting: string): string {
  return execFileSync("nsenter", [`--net=${path}`, "cat", `/proc/sys/${setting}`], { encoding: "utf8" }).trimEnd();
}

describe("sysctls", () => {
  it("are those of the namespace that is named", () => {
    using near = new ScratchNetns();
    using far = new ScratchNetns();
    const own = readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8").trimEnd();
    writeSysctl(near.fd, "net/ipv4/ip_default_ttl", 77);
    writeSysctl(far.fd, "net/ipv4/ip_default_ttl", "78");
    for (const [namespace, value] of [
      [near, "77"],
      [far, "78"],
    ] as const) {
      expect(readSysctl(namespace.fd, "net/ipv4/ip_default_ttl")).toBe(value);
      expect(inside(namespace, "net/ipv4/ip_default_ttl")).toBe(value);
    }
    expect(readSysctl(undefined, "net/ipv4/ip_default_ttl")).toBe(own);
  });

  it("of a link exist where the link is, dots in its name and all", () => {
    using near = new ScratchNetns();
    near.ip("link add e0.1 type veth peer name e1");
    writeSysctl(near.fd, "net/ipv4/conf/e0.1/rp_filter", 2);
    expect(inside(near, "net/ipv4/conf/e0.1/rp_filter")).toBe("2");
    const absent = expect.objectContaining({ code: "ENOENT", syscall: "open" });
    expect(() => readSysctl(undefined, "net/ipv4/conf/e0.1/rp_filter")).toThrow(absent);
    expect(() => writeSysctl(near.fd, "net/ipv4/conf/e0.2/rp_filter", 2)).toThrow(absent);
  });

  it("can be put back as they were read, empty ones and lists too", () => {
    using near = new ScratchNetns();
    for (const [path, value] of [
      ["net/ipv4/ip_local_reserved_ports", "8080,9000-9010"],
      ["net/ipv4/ip_local_port_range", "20000\t30000"],
      ["net/ipv6/conf/all/forwarding", "1"],
    ] as const) {
      const before = readSysctl(near.fd, path);
      writeSysctl(near.fd, path, value);
      expect(inside(near, path)).toBe(value);
      writeSysctl(near.fd, path, before);
      expect(readSysctl(near.fd, path)).toBe(before);
    }
    expect(readSysctl(near.fd, "net/ipv4/ip_local_reserved_ports")).toBe("");
  });

  it("refuse what the kernel refuses, with its code", () => {
    using near = new ScratchNetns();
    const message = `writing "many" to the sysctl net/ipv4/ip_forward in ${near.path}: write failed with EINVAL`;
    const invalid = expect.objectContaining({ code: "EINVAL", errno: -22, syscall: "write", message });
    expect(() => writeSysctl(near.fd, "net/ipv4/ip_forward", "many")).toThrow(invalid);
    expect(() => readSysctl(near.fd, "net/ipv4")).toThrow(expect.objectContaining({ code: "EISDIR" }));
  });
});
