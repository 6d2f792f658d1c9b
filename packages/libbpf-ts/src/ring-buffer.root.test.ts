import { expect, test } from "vitest";
import { BpfMap } from "./map.ts";
import { BpfObject } from "./object.ts";
import { RingBuffer } from "./ring-buffer.ts";
import { attachTcx } from "./tcx.ts";
import { frame, openFds, readU32, testObject } from "./testing/kernel.ts";
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
  using _ring = RingBuffer.open(object.map("events"), (records) => batches.push(records));
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
  using ring = RingBuffer.open(object.map("events"), (records) => batches.push(records.length));
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

test("another kind of map is refused", () => {
  using map = BpfMap.create({ type: "array", keySize: 4, valueSize: 4, maxEntries: 1 });
  expect(() => RingBuffer.open(map, () => {})).toThrow(
    expect.objectContaining({ code: "EINVAL", syscall: "ring_buffer__new" }),
  );
});
