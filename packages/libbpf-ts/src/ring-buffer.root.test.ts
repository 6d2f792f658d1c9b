import { expect, test } from "vitest";
import { BpfMap } from "./map.ts";
import { BpfObject } from "./object.ts";
import { RingBuffer, readRingBuffer } from "./ring-buffer.ts";
import { attachTcx } from "./tcx.ts";
import { frame, openFds, readU32, testObject } from "./testing/kernel.ts";
import { runNode } from "./testing/run-node.ts";
import { TestNetns } from "./testing/test-netns.ts";

function load(): BpfObject {
  const object = BpfObject.open(testObject("events"));
  object.load();
  return object;
}

/** Resolves when `done` is true, asked again with each turn of the event loop; rejects after five seconds. */
async function until(done: () => boolean): Promise<void> {
  for (const end = Date.now() + 5000; !done(); ) {
    if (Date.now() > end) throw new Error("waited for five seconds");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test("records come in order and whole, and those that wait together come in one batch", async () => {
  using object = load();
  const batches: Uint8Array[][] = [];
  using _ring = RingBuffer.open(object.map("events"), (records) => void batches.push(records));
  object.program("loud").testRun({ data: frame(), repeat: 500 });
  expect(batches).toEqual([]);
  await until(() => batches.length > 0);
  expect(batches.map((records) => records.length)).toEqual([500]);
  const records = batches.flat();
  expect(records.map((record) => readU32(record))).toEqual(records.map((_, index) => index));
  expect(records.map((record) => record.length)).toEqual(records.map((_, index) => (index % 2 === 0 ? 19 : 8)));
  expect(Buffer.from(records[2] as Uint8Array).toString("latin1", 8)).toBe("0123456789\0");
  object.program("loud").testRun({ data: frame() });
  await until(() => batches.length > 1);
  expect(batches[1]?.map((record) => readU32(record))).toEqual([500]);
});

test("a batch is bounded, and nothing is lost between two", async () => {
  using object = load();
  const sizes: number[] = [];
  let next = 0;
  using _ring = RingBuffer.open(object.map("events"), (records) => {
    sizes.push(records.length);
    for (const record of records) if (readU32(record) === next) next++;
  });
  object.program("loud").testRun({ data: frame(), repeat: 100_000 });
  await until(() => next === 100_000);
  expect(sizes.length).toBeGreaterThan(1);
  expect(Math.max(...sizes)).toBeLessThan(60_000);
});

test("packets of a device", async () => {
  using object = load();
  using netns = new TestNetns();
  const ifindex = netns.addVeth();
  let records: Uint8Array[] = [];
  using _ring = RingBuffer.open(object.map("events"), (batch) => {
    records = records.concat(batch);
  });
  using _link = attachTcx({ program: object.program("loud"), ifindex, direction: "egress", netns: netns.fd });
  records = [];
  netns.run("ip", "neigh", "replace", "198.18.0.9", "lladdr", "02:00:00:00:00:09", "dev", "v0");
  netns.run("sh", "-c", "ping -c 3 -i 0.01 -s 500 -W 0.1 198.18.0.9 > /dev/null; true");
  const pings = () => records.filter((record) => readU32(record, 4) === 14 + 20 + 8 + 500);
  await until(() => pings().length === 3);
});

test("consume() takes what woke nobody, at once", async () => {
  using object = load();
  const batches: number[] = [];
  using ring = RingBuffer.open(object.map("events"), (records) => void batches.push(records.length));
  object.program("quiet").testRun({ data: frame(), repeat: 3 });
  ring.consume();
  expect(batches).toEqual([3]);
  ring.consume();
  expect(batches).toEqual([3]);
});

test("the map may be disposed while the ring buffer is read", async () => {
  using object = load();
  const map = BpfMap.byId(object.map("events").info.id);
  let seen = 0;
  using _ring = RingBuffer.open(map, (records) => {
    seen += records.length;
  });
  map[Symbol.dispose]();
  object.program("loud").testRun({ data: frame(), repeat: 2 });
  await until(() => seen === 2);
});

test("disposed in its own callback it says no more, and every call after is ERR_CLOSED", async () => {
  using object = load();
  await new Promise((resolve) => setTimeout(resolve, 20)); // the tests before close theirs with the event loop
  const before = openFds();
  let calls = 0;
  const ring = RingBuffer.open(object.map("events"), () => {
    calls++;
    ring[Symbol.dispose]();
    ring[Symbol.dispose]();
  });
  object.program("loud").testRun({ data: frame(), repeat: 2 });
  await until(() => calls > 0);
  object.program("loud").testRun({ data: frame(), repeat: 2 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(calls).toBe(1);
  expect(() => ring.consume()).toThrow(expect.objectContaining({ code: "ERR_CLOSED" }));
  ring.ref().unref();
  expect(openFds()).toBe(before);
});

test("while a batch is worked on none comes, records wait, and what finds the ring full is lost to the program", async () => {
  using object = load();
  const batches: number[] = [];
  let finish = () => {};
  using ring = RingBuffer.open(object.map("events"), (records) => {
    batches.push(records.length);
    return new Promise<void>((resolve) => {
      finish = resolve;
    });
  });
  const run = (repeat: number) => object.program("loud").testRun({ data: frame(), repeat });
  run(1);
  await until(() => batches.length === 1);
  run(1_000_000);
  const dropped = object.variable("dropped");
  expect(dropped).toBeGreaterThan(100_000);
  ring.consume();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(batches).toEqual([1]);
  for (let done = 1; done < 1_000_001 - Number(dropped); done = batches.reduce((sum, n) => sum + n, 0)) {
    const before = batches.length;
    finish();
    await until(() => batches.length > before);
  }
  expect(batches.reduce((sum, n) => sum + n, 0)).toBe(1_000_001 - Number(dropped));
  finish();
  ring[Symbol.dispose]();
  finish();
});

test("paused it reads nothing, resumed all that waited", async () => {
  using object = load();
  const batches: number[] = [];
  using ring = RingBuffer.open(object.map("events"), (records) => void batches.push(records.length));
  ring.pause();
  object.program("loud").testRun({ data: frame(), repeat: 3 });
  const before = performance.eventLoopUtilization();
  await new Promise((resolve) => setTimeout(resolve, 50));
  // Nobody is woken again and again for what nobody takes.
  expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.5);
  ring.consume();
  expect(batches).toEqual([]);
  ring.resume();
  await until(() => batches.length > 0);
  expect(batches).toEqual([3]);
});

test("a rejected batch is an unhandled rejection, and the ring buffer goes on", () => {
  const { stdout, stderr } = runNode(
    `const object = bpf.BpfObject.open(${JSON.stringify(testObject("events"))});
     object.load();
     const run = () => object.program("loud").testRun({ data: new Uint8Array(64) });
     process.on("unhandledRejection", (error) => { console.log("rejected", error.message); setTimeout(run, 10); });
     let calls = 0;
     const ring = bpf.RingBuffer.open(object.map("events"), async () => {
       if (calls++ === 0) throw new Error("first");
       console.log("second");
       ring[Symbol.dispose]();
     });
     run();`,
  );
  expect(stdout, stderr).toBe("rejected first\nsecond");
});

test("readRingBuffer: one batch after the other, until the loop ends or the signal says so", async () => {
  using object = load();
  const run = (repeat: number) => object.program("loud").testRun({ data: frame(), repeat });
  await new Promise((resolve) => setTimeout(resolve, 20)); // the tests before close theirs with the event loop
  const before = openFds();
  const sizes: number[] = [];
  run(2);
  for await (const records of readRingBuffer(object.map("events"))) {
    sizes.push(records.length);
    if (sizes.length === 3) break;
    run(sizes.length + 4);
  }
  expect(sizes).toEqual([2, 5, 6]);
  const controller = new AbortController();
  const waiting = readRingBuffer(object.map("events"), { signal: controller.signal }).next();
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await expect(readRingBuffer(object.map("events"), { signal: controller.signal }).next()).rejects.toThrow("enough");
  await until(() => openFds() === before);
});

test("another kind of map is refused", () => {
  using map = BpfMap.create({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 });
  expect(() => RingBuffer.open(map, () => {})).toThrow(
    expect.objectContaining({ code: "EINVAL", syscall: "ring_buffer__new" }),
  );
});
