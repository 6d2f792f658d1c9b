import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { attachClsact, detachClsact } from "./clsact.ts";
import { LibbpfError } from "./errors.ts";
import { HANDLE } from "./fd-owner.ts";
import { BpfMap } from "./map.ts";
import { type MapHandle, type Native, native } from "./native.ts";
import { BpfObject } from "./object.ts";
import { RingBuffer } from "./ring-buffer.ts";
import { attachTcx, queryTcx } from "./tcx.ts";
import { frame, openFds, processStatus, testObject, u32, u64 } from "./testing/kernel.ts";
import { runNode } from "./testing/run-node.ts";
import { TestBpffs } from "./testing/test-bpffs.ts";
import { TestNetns } from "./testing/test-netns.ts";

const ADDON = process.env.LIBBPF_TS_ADDON ?? fileURLToPath(new URL("../build/bpf.node", import.meta.url));

function load(name: string): BpfObject {
  const object = BpfObject.open(testObject(name));
  object.load();
  return object;
}

test("after disposal every call is ERR_CLOSED, and disposing again is harmless", () => {
  using netns = new TestNetns();
  const object = load("maps");
  const program = object.program("count");
  const map = object.map("a_hash");
  const link = attachTcx({ program, ifindex: netns.addVeth(), direction: "ingress", netns: netns.fd });
  for (const owned of [link, link, object, object]) owned[Symbol.dispose]();
  const closed = expect.objectContaining({ name: "LibbpfError", code: "ERR_CLOSED", errno: 0, syscall: "" });
  for (const call of [
    () => map.fd,
    () => map.pin("/tmp/x"),
    () => map.update(u32(0), u64(0)),
    () => map.delete(u32(0)),
    () => [...map.entries()],
    () => [...map.keys()],
    () => program.fd,
    () => program.info,
    () => program.testRun({ data: frame() }),
    () => attachTcx({ program, ifindex: 1, direction: "ingress" }),
    () => attachClsact({ program, ifindex: 1, direction: "ingress", priority: 1, handle: 1 }),
    () => link.fd,
    () => link.info(),
    () => link.detach(),
    () => link.update(program),
    () => object.programSpecs,
    () => RingBuffer.open(map, () => {}),
  ]) {
    expect(call, String(call)).toThrow(closed);
  }
  expect(map.info.name).toBe("a_hash");
});

test("handles of another kind, and things that are none, are refused", () => {
  using object = load("maps");
  const map = object.map("a_hash")[HANDLE];
  const program = object.program("count")[HANDLE] as unknown as MapHandle;
  const wrong = expect.objectContaining({ name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
  expect(() => native.mapInfo(program)).toThrow(wrong);
  expect(() => native.programInfo(map as never)).toThrow(wrong);
  expect(() => native.linkInfo(map as never)).toThrow(wrong);
  expect(() => native.ringConsume(map as never)).toThrow(wrong);
  expect(() => native.objectLoad(map as never, false)).toThrow(wrong);
  for (const value of [undefined, null, 3, "map", {}, object, []]) {
    expect(() => native.mapInfo(value as never)).toThrow(wrong);
    expect(() => native.close(value as never)).toThrow(wrong);
  }
});

test("handles of another copy of the addon are refused: what is behind them may be laid out otherwise", () => {
  const directory = mkdtempSync(join(tmpdir(), "libbpf-ts-"));
  try {
    copyFileSync(ADDON, join(directory, "copy.node"));
    const copy: Native = createRequire(import.meta.url)(join(directory, "copy.node"));
    copy.setErrorClass(LibbpfError);
    const theirs = copy.mapCreate(2, "theirs", 4, 4, 1, 0, -1);
    expect(copy.mapInfo(theirs).name).toBe("theirs");
    expect(() => native.mapInfo(theirs)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }));
    using ours = BpfMap.create({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 });
    expect(() => copy.close(ours[HANDLE])).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }));
    copy.close(theirs);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("arguments of other types are refused by place", () => {
  using object = load("maps");
  const map = object.map("a_hash")[HANDLE];
  const call = (...args: unknown[]) => (native.mapUpdate as (...args: unknown[]) => void)(...args);
  expect(() => call(map, [0, 0, 0, 0], u64(0), 0)).toThrow("argument 2: expected a Uint8Array");
  expect(() => call(map, new Uint16Array(2), u64(0), 0)).toThrow("argument 2: expected a Uint8Array");
  expect(() => call(map, u32(0), u64(0), "0")).toThrow("argument 4: expected a 32-bit integer");
  expect(() => call(map, u32(0), u64(0), Number.NaN)).toThrow("argument 4: expected a 32-bit integer");
  expect(() => call(map)).toThrow("argument 2: expected a Uint8Array");
  expect(() => call()).toThrow(TypeError);
});

test("200 cycles leave no descriptor behind, and no memory to speak of", async () => {
  using bpffs = new TestBpffs();
  using netns = new TestNetns();
  const ifindex = netns.addVeth();
  const cycle = (n: number) => {
    using object = load("maps");
    using events = load("events");
    using bad = BpfObject.open(testObject("bad"));
    if (n % 20 === 0) expect(() => bad.load()).toThrow();
    using _ring = RingBuffer.open(events.map("events"), () => {});
    const filter = { ifindex, direction: "ingress", priority: 1, handle: 1, netns: netns.fd } as const;
    attachClsact({ ...filter, program: object.program("count"), replace: true });
    detachClsact(filter);
    if (n % 20 === 0) attachTcx({ ...filter, program: object.program("count") })[Symbol.dispose]();
    expect(() => queryTcx({ ...filter, ifindex: 9999 })).toThrow();
    expect(() => BpfMap.openPinned(bpffs.at("nothing"))).toThrow();
    object.map("a_hash").pin(bpffs.at(`map${n}`));
    BpfMap.openPinned(bpffs.at(`map${n}`))[Symbol.dispose]();
  };
  const settle = () => new Promise((resolve) => setTimeout(resolve, 20)); // ring buffers close with the event loop
  for (let n = -20; n < 0; n++) cycle(n);
  await settle();
  const fds = openFds();
  const memory = processStatus("VmRSS");
  for (let n = 0; n < 200; n++) {
    cycle(n);
    if (n % 10 === 0) await settle();
  }
  await settle();
  expect(openFds()).toBe(fds);
  expect(processStatus("VmRSS") - memory).toBeLessThan(100 * 1024);
});

test("descriptors are not inherited by child processes", () => {
  const { stdout, stderr } = runNode(
    `const { execFileSync } = await import("node:child_process");
     const object = bpf.BpfObject.open(${JSON.stringify(testObject("events"))});
     object.load();
     const kept = [bpf.BpfMap.byId(object.map("events").info.id), bpf.BpfProgram.byId(object.program("loud").info.id),
       bpf.BpfMap.create({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 }),
       bpf.RingBuffer.open(object.map("events"), () => {})];
     const list = (of) => execFileSync("ls", ["-l", "/proc/" + of + "/fd"], { encoding: "utf8" }).split("bpf").length - 1;
     console.log(list("self"), list(process.pid) >= 8);
     for (const owned of kept) owned[Symbol.dispose]();`,
  );
  expect(stdout, stderr).toBe("0 true");
});

test("what was forgotten is closed with garbage collection, what is in use is not", () => {
  const { stdout, stderr } = runNode(
    `const { readdirSync } = await import("node:fs");
     const count = () => readdirSync("/proc/self/fd").length;
     const create = () => bpf.BpfMap.create({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 });
     const kept = create();
     const before = count();
     for (let i = 0; i < 50; i++) create();
     for (let i = 0; i < 100 && count() > before; i++) { gc(); await new Promise((r) => setTimeout(r, 10)); }
     console.log(count() - before, kept.lookup(new Uint8Array(4)).length);`,
  );
  expect(stdout, stderr).toBe("0 4");
});

test("a process ends by itself with an unref'ed ring buffer, and is kept by one that is ref'ed", () => {
  const open = `const ring = bpf.RingBuffer.open(bpf.BpfMap.create({ type: "ringbuf", keySize: 0, valueSize: 0, maxEntries: 4096 }), () => {});`;
  expect(runNode(`${open} ring.unref();`)).toMatchObject({ status: 0, signal: null });
  const kept = runNode(
    `${open} ring.unref().ref(); setTimeout(() => { console.log("still here"); ring[Symbol.dispose](); }, 300).unref();`,
  );
  expect(kept).toMatchObject({ status: 0, signal: null, stdout: "still here" });
});

test("what onBatch throws is an uncaught exception, and the ring buffer goes on", () => {
  const { stdout, stderr } = runNode(
    `const object = bpf.BpfObject.open(${JSON.stringify(testObject("events"))});
     object.load();
     let calls = 0;
     const run = () => object.program("loud").testRun({ data: new Uint8Array(64) });
     process.on("uncaughtException", (error) => { console.log("caught", error.message); setTimeout(run, 10); });
     const ring = bpf.RingBuffer.open(object.map("events"), () => {
       if (calls++ === 0) throw new Error("first");
       console.log("second");
       ring[Symbol.dispose]();
     });
     run();`,
  );
  expect(stdout, stderr).toBe("caught first\nsecond");
});

test("worker threads: own logs, own errors, and an open ring buffer does not keep or crash the worker's end", () => {
  const worker = `
    import { parentPort, workerData } from "node:worker_threads";
    const bpf = await import(workerData.index);
    const object = bpf.BpfObject.open(workerData.events);
    object.load();
    bpf.RingBuffer.open(object.map("events"), (records) => {
      let code;
      try { bpf.BpfMap.byId(0x7fffffff); } catch (error) { code = error instanceof bpf.LibbpfError && error.code; }
      parentPort.postMessage([records.length, code]);
    });
    object.program("loud").testRun({ data: new Uint8Array(64), repeat: 5 });`;
  const { stdout, stderr, status } = runNode(
    `const { Worker } = await import("node:worker_threads");
     const { readdirSync } = await import("node:fs");
     const index = ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
     const count = () => readdirSync("/proc/self/fd").filter((fd) => Number(fd) > 2).length;
     const round = async () => {
       const worker = new Worker(${JSON.stringify(worker)}, { eval: true, workerData: { index, events: ${JSON.stringify(testObject("events"))} } });
       const message = await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
       await worker.terminate();
       return JSON.stringify(message);
     };
     const first = await round();
     const before = count();
     for (let i = 0; i < 5; i++) await round();
     console.log(first, count() - before);`,
  );
  expect(stdout, stderr).toBe('[5,"ENOENT"] 0');
  expect(status).toBe(0);
});
