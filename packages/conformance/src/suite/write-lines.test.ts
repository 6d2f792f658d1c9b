import { describe, expect, it } from "vitest";
import { WriteLines } from "./write-lines.ts";

const writes = (...lines: string[]): string[] => {
  const trace = new WriteLines();
  return lines.flatMap((line) => trace.take(line) ?? []);
};

describe("writes among the lines of strace", () => {
  it("are changes of maps and files, in whatever thread", () => {
    expect(
      writes(
        "bpf(BPF_MAP_LOOKUP_ELEM, {map_fd=30}, 32) = 0",
        "812 bpf(BPF_MAP_UPDATE_ELEM, {map_fd=30}, 32) = 0",
        'renameat(AT_FDCWD, "/run/a.new", AT_FDCWD, "/run/a") = 0',
      ),
    ).toEqual([
      "bpf(BPF_MAP_UPDATE_ELEM, {map_fd=30}, 32) = 0",
      'renameat(AT_FDCWD, "/run/a.new", AT_FDCWD, "/run/a") = 0',
    ]);
  });

  it("are programs where they were found, not where they were looked for", () => {
    const at = (path: string) => `99 execve("${path}/ip", ["ip", "-batch", "-"], 0x7ffd /* 20 vars */)`;
    const failed = " = -1 ENOENT (No such file or directory)";
    expect(writes(`${at("/usr/local/sbin")}${failed}`, `${at("/usr/sbin")} = 0`)).toHaveLength(1);
  });

  it("are programs whose start is told in two lines", () => {
    const begun = (path: string, pid: number) =>
      `${pid} execve("${path}/nft", ["nft", "-f", "-"], 0x7ffd /* 20 vars */ <unfinished ...>`;
    const resumed = (pid: number, result: string) => `${pid} <... execve resumed>) = ${result}`;
    expect(
      writes(
        begun("/usr/local/sbin", 7),
        begun("/usr/sbin", 8),
        resumed(8, "0"),
        resumed(7, "-1 ENOENT (No such file or directory)"),
      ),
    ).toHaveLength(1);
  });

  it("are no programs that only look", () => {
    expect(writes('execve("/usr/sbin/ip", ["ip", "-j", "link", "show"], 0x7ffd /* 20 vars */) = 0')).toEqual([]);
  });
});
