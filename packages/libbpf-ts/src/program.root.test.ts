import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { BpfMap } from "./map.ts";
import { BpfObject } from "./object.ts";
import { BpfProgram } from "./program.ts";
import { RunStatistics } from "./run-statistics.ts";
import { frame, readU32, readU64, testObject, u32, u64 } from "./testing/kernel.ts";
import { TestBpffs } from "./testing/test-bpffs.ts";

function load(name: string): BpfObject {
  const object = BpfObject.open(testObject(name));
  object.load();
  return object;
}

test("testRun returns the verdict and runs as often as asked", () => {
  using object = load("maps");
  const result = object.program("count").testRun({ data: frame(), repeat: 1000 });
  expect(result).toMatchObject({ retval: 0, data: frame(), context: new Uint8Array() });
  expect(result.durationNs).toBeGreaterThanOrEqual(0);
  expect(result.durationNs).toBeLessThan(1e6);
  expect(readU64(object.map("an_array").lookup(u32(0)))).toBe(1000);
  const perCpu = object.map("a_percpu_array").lookupPerCpu(u32(0));
  expect(perCpu.reduce((sum, value) => sum + readU32(value), 0)).toBe(1000);
});

test("testRun takes a context and gives it back; a negative verdict is negative; the packet comes back changed", () => {
  using object = load("maps");
  const context = new Uint8Array(192); // struct __sk_buff up to hwtstamp
  context.set(u32(41), 8); // mark
  const data = frame();
  const result = object.program("remember").testRun({ data, context });
  expect(result.retval).toBe(-1);
  expect(result.data).toEqual(frame().fill(0xff, 0, 1));
  expect(data).toEqual(frame());
  expect(readU32(result.context, 8)).toBe(42);
  expect(object.map("a_hash").lookup(u32(41))).toEqual(u64(1));
});

test("testRun makes all its runs although signals come", async () => {
  using object = load("maps");
  let signals = 0;
  const seen = () => signals++;
  process.on("SIGUSR2", seen);
  const sender = spawn("sh", ["-c", `while kill -USR2 ${process.pid}; do :; done`], { stdio: "ignore" });
  try {
    for (let rounds = 0; rounds < 20; rounds++) {
      object.program("count").testRun({ data: frame(), repeat: 100_000 });
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    sender.kill("SIGKILL");
    await once(sender, "exit");
    process.off("SIGUSR2", seen);
  }
  expect(signals).toBeGreaterThan(0);
  expect(readU64(object.map("an_array").lookup(u32(0)))).toBe(2_000_000);
});

test("testRun: what the kernel refuses", () => {
  using object = load("maps");
  const program = object.program("count");
  const refused = expect.objectContaining({ code: "EINVAL", syscall: "bpf_prog_test_run_opts" });
  expect(() => program.testRun({ data: new Uint8Array(13) })).toThrow(refused);
  expect(() => program.testRun({ data: new Uint8Array() })).toThrow(refused);
  const context = new Uint8Array(192);
  context.set(u32(1), 0); // len is not for the caller to set
  expect(() => program.testRun({ data: frame(), context })).toThrow(refused);
});

test("testRun of a program that takes a context and no packet", () => {
  using object = load("sk-lookup");
  const context = new Uint8Array(72); // struct bpf_sk_lookup
  context.set(u32(2), 8); // family AF_INET
  context.set(u32(6), 12); // protocol TCP
  context.set(u32(7777), 60); // local_port
  const { retval } = object.program("refuse").testRun({ data: new Uint8Array(), context });
  expect(retval).toBe(0);
  context.set(u32(7778), 60);
  expect(object.program("refuse").testRun({ data: new Uint8Array(), context }).retval).toBe(1);
});

test("info tells id, type, name, tag, maps and time", () => {
  using object = load("maps");
  const { info } = object.program("count");
  expect(info).toMatchObject({ type: "sched_cls", name: "count" });
  expect(info.id).toBeGreaterThan(0);
  expect(info.tag).toMatch(/^[0-9a-f]{16}$/);
  const used = ["an_array", "a_percpu_array", "maps.rodata"].map((name) => object.map(name).info.id);
  expect([...info.mapIds].sort()).toEqual(used.sort());
  expect(Math.abs(info.loadedAt.getTime() - Date.now())).toBeLessThan(5000);
  expect(info.instructions).toBeGreaterThan(10);
  expect(info.verifiedInstructions).toBeGreaterThan(10);
  expect(info.createdByUid).toBe(0);
  expect(object.program("remember").info.tag).not.toBe(info.tag);
});

test("pin, reopen, by id: the same program", () => {
  using bpffs = new TestBpffs();
  const object = load("maps");
  const { id, tag } = object.program("count").info;
  object.program("count").pin(bpffs.at("count"));
  object[Symbol.dispose]();
  using pinned = BpfProgram.openPinned(bpffs.at("count"));
  using byId = BpfProgram.byId(id);
  expect(pinned.info).toMatchObject({ id, tag });
  expect(byId.info).toMatchObject({ id, tag });
  expect(byId.testRun({ data: frame() }).retval).toBe(0);
  expect(() => BpfProgram.byId(0x7fffffff)).toThrow(expect.objectContaining({ code: "ENOENT" }));
  expect(() => BpfMap.openPinned(bpffs.at("count"))).toThrow(expect.objectContaining({ code: "ERR_WRONG_KIND" }));
});

test("runs are counted and timed while statistics are on", () => {
  using object = load("maps");
  const program = object.program("count");
  const run = () => program.testRun({ data: frame(), repeat: 10 });
  run();
  expect(program.statistics()).toMatchObject({ runs: 0n, runTimeNs: 0n });
  {
    using statistics = RunStatistics.enable();
    run();
    statistics[Symbol.dispose]();
    statistics[Symbol.dispose]();
  }
  const { runs, runTimeNs, recursionMisses } = program.statistics();
  expect([runs, recursionMisses]).toEqual([10n, 0n]);
  expect(runTimeNs).toBeGreaterThan(0n);
  run();
  expect(program.statistics().runs).toBe(10n);
});
