import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "../logging/logger.ts";
import { AmbientConfigFile } from "./ambient-config.ts";

let directory: string;
let lines: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-ambient-"));
  lines = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

const log = () =>
  createLogger({ format: "text", level: "info", output: { write: (line) => void lines.push(line) } }).child({
    component: "ambient",
  });

test("writes the file with mode 0644 whatever the umask, and the log line in its fixed form", async () => {
  const path = join(directory, "etc", "config.json");
  const umask = process.umask(0o077);
  try {
    await new AmbientConfigFile(path, log()).set({ redirectMode: "ebpf", ztunnelReady: true });
  } finally {
    process.umask(umask);
  }
  expect(readFileSync(path, "utf8")).toBe('{"ztunnelReady":true,"redirectMode":"ebpf"}');
  expect(statSync(path).mode & 0o777).toBe(0o644);
  expect(lines[0]).toMatch(/ info {2}ambient Writing ambient config: \{"ztunnelReady":true,"redirectMode":"ebpf"\}\n$/);
  expect(readdirSync(join(directory, "etc"))).toEqual(["config.json"]);
});

test("writes only what changed", async () => {
  const file = new AmbientConfigFile(join(directory, "config.json"), log());
  await file.set({ ztunnelReady: false, redirectMode: "ebpf" });
  await file.set({ ztunnelReady: false, redirectMode: "ebpf" });
  await file.set({ ztunnelReady: true, redirectMode: "ebpf" });
  expect(lines).toHaveLength(2);
});

test("a burst ends with the newest, and leaves no temporary file", async () => {
  const path = join(directory, "config.json");
  const file = new AmbientConfigFile(path, log());
  await Promise.all(
    Array.from({ length: 101 }, (_, index) => file.set({ ztunnelReady: index % 2 === 0, redirectMode: "ebpf" })),
  );
  expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ ztunnelReady: true, redirectMode: "ebpf" });
  expect(readdirSync(directory)).toEqual(["config.json"]);
});

test("a reader never sees half a file", async () => {
  const path = join(directory, "config.json");
  writeFileSync(path, '{"ztunnelReady":false,"redirectMode":"ebpf"}');
  const file = new AmbientConfigFile(path, log());
  const done = (async () => {
    for (let index = 0; index < 50; index += 1) {
      await file.set({ ztunnelReady: index % 2 === 0, redirectMode: "e".repeat(1 + (index % 7) * 500) });
    }
    return true;
  })();
  let finished = false;
  void done.then(() => {
    finished = true;
  });
  while (!finished) {
    expect(() => JSON.parse(readFileSync(path, "utf8"))).not.toThrow();
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test("a failed write is logged, leaves nothing behind and is made good by the next set", async () => {
  const path = join(directory, "config.json");
  mkdirSync(join(path, "in-the-way"), { recursive: true });
  const file = new AmbientConfigFile(path, log());
  await file.set({ ztunnelReady: true, redirectMode: "ebpf" });
  expect(lines.at(-1)).toContain("ambient config not written");
  expect(readdirSync(directory)).toEqual(["config.json"]);
  rmSync(path, { recursive: true });
  await file.set({ ztunnelReady: true, redirectMode: "ebpf" });
  expect(readFileSync(path, "utf8")).toContain('"ztunnelReady":true');
});

test.each(["precious", '{"ztunnelReady":true,"redirectMode":"ebpf","more":1}', '{"a":"}'.padEnd(5000)])(
  "what somebody else wrote stays, and is told: %.20s",
  async (text) => {
    const path = join(directory, "config.json");
    writeFileSync(path, text);
    await new AmbientConfigFile(path, log()).set({ ztunnelReady: true, redirectMode: "ebpf" });
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(lines.at(-1)).toMatch(/not written .*code=ERR_AMBIENT_CONFIG_PATH .*is not as the agent writes it/);
  },
);

test("a link is not replaced; an empty file is, and one of an earlier run or of istio-cni", async () => {
  const path = join(directory, "config.json");
  symlinkSync("/etc/passwd", path);
  await new AmbientConfigFile(path, log()).set({ ztunnelReady: true, redirectMode: "ebpf" });
  expect(readlinkSync(path)).toBe("/etc/passwd");
  rmSync(path);
  for (const text of ["", '{"ztunnelReady":false,"redirectMode":"iptables"}']) {
    writeFileSync(path, text);
    await new AmbientConfigFile(path, log()).set({ ztunnelReady: true, redirectMode: "ebpf" });
    expect(readFileSync(path, "utf8")).toBe('{"ztunnelReady":true,"redirectMode":"ebpf"}');
  }
});
