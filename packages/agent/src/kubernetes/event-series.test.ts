import { expect, test } from "vitest";
import { eventName, eventObject } from "./event-object.ts";
import { EventSeries, type Series, type SeriesLimits } from "./event-series.ts";
import { aboutNode, aboutPod } from "./regarding.ts";

const web = aboutPod({ namespace: "shop", name: "web-1", uid: "u1" });
const T0 = Date.UTC(2026, 0, 2, 3, 0, 0);
const MINUTE = 60_000;

const failed = (note: string, regarding = web) => ({ regarding, reason: "EnrolmentFailed" as const, note });

function posted(series: Series | undefined, at: number): void {
  if (series !== undefined) series.posted = { count: series.count, at };
}

test("the same again is one series: told at its second time, then from time to time", () => {
  const events = new EventSeries();
  const first = events.add(failed("EBUSY: busy"), T0);
  expect(first).toMatchObject({ count: 1, note: "EBUSY: busy" });
  posted(first, T0);
  const second = events.add(failed("EBUSY: busy"), T0 + 1000);
  expect(second).toBe(first);
  posted(second, T0 + 1000);
  expect(events.add(failed("EBUSY: busy"), T0 + 2000)).toBeUndefined();
  expect(events.sweep(T0 + 4 * MINUTE)).toEqual([]);
  expect(events.sweep(T0 + 6 * MINUTE)).toEqual([first]);
  expect(first).toMatchObject({ count: 3, lastAt: T0 + 2000 });
});

test("what was not told yet is told with all that came meanwhile", () => {
  const events = new EventSeries();
  events.add(failed("a"), T0);
  const again = events.add(failed("a"), T0 + 1);
  expect(again).toMatchObject({ count: 2, posted: undefined });
});

test("another note, another reason, another pod are other Events", () => {
  const events = new EventSeries();
  const keys = [
    failed("a"),
    failed("b"),
    { ...failed("a"), reason: "PartlyRedirected" as const },
    failed("a", aboutPod({ namespace: "shop", name: "web-1", uid: "u2" })),
    failed("a", aboutNode("n1")),
  ].map((occurrence) => events.add(occurrence, T0)?.key);
  expect(new Set(keys).size).toBe(5);
});

test("after ten different notes the similar ones become one Event that says so", () => {
  const events = new EventSeries();
  for (let i = 0; i < 10; i++) events.add(failed(`try ${i}`), T0);
  const eleventh = events.add(failed("try 10"), T0);
  expect(eleventh?.note).toBe("(combined from similar events): try 10");
  expect(events.add(failed("try 11"), T0)).toBe(eleventh);
  expect(events.add(failed("try 3"), T0)).toMatchObject({ note: "try 3", count: 2 });
});

test("25 about one object at once, then one every five minutes; others are not held up", () => {
  const events = new EventSeries();
  for (let i = 0; i < 60; i++) events.add(failed("a"), T0);
  expect(events.suppressed).toBe(35);
  expect(events.add(failed("a", aboutNode("n1")), T0)).toBeDefined();
  events.add(failed("a"), T0 + 5 * MINUTE);
  expect(events.suppressed).toBe(35);
  events.add(failed("a"), T0 + 5 * MINUTE);
  expect(events.suppressed).toBe(36);
});

test("what is over is forgotten, but nothing that still has to be told; the same later is a new Event", () => {
  const events = new EventSeries();
  const told = events.add(failed("a"), T0) as Series;
  posted(told, T0);
  const untold = events.add(failed("b"), T0) as Series;
  expect(events.sweep(T0 + 31 * MINUTE)).toEqual([untold]);
  expect(events.get(told.key)).toBeUndefined();
  expect(events.get(untold.key)).toBe(untold);
  expect(events.add(failed("a"), T0 + 32 * MINUTE)).toMatchObject({ count: 1, firstAt: T0 + 32 * MINUTE });
});

test("memory is bounded, whatever happens", () => {
  const events = new EventSeries({ kept: 3 } satisfies Partial<SeriesLimits>);
  const all = ["a", "b", "c", "d"].map((note) => events.add(failed(note), T0) as Series);
  expect(all.map(({ key }) => events.get(key) !== undefined)).toEqual([false, true, true, true]);
});

test("the object is what events.k8s.io/v1 takes", () => {
  const events = new EventSeries();
  const series = events.add(failed("EBUSY: busy"), T0) as Series;
  expect(eventObject(series, "web-1.abc", "n1")).toEqual({
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: "web-1.abc", namespace: "shop" },
    eventTime: "2026-01-02T03:00:00.000000Z",
    reportingController: "millrace.dev/agent",
    reportingInstance: "n1",
    type: "Warning",
    action: "Enrol",
    reason: "EnrolmentFailed",
    regarding: { apiVersion: "v1", kind: "Pod", namespace: "shop", name: "web-1", uid: "u1" },
    note: "EBUSY: busy",
  });
  events.add(failed("EBUSY: busy"), T0 + 1500);
  expect(eventObject(series, "x", "n".repeat(200))).toMatchObject({
    reportingInstance: "n".repeat(128),
    series: { count: 2, lastObservedTime: "2026-01-02T03:00:01.500000Z" },
  });
  const node = events.add(failed("a", aboutNode("n1")), T0) as Series;
  expect(eventObject(node, "x", "n1")).toMatchObject({ metadata: { namespace: "default" }, regarding: { uid: "n1" } });
});

test("names are DNS subdomains of at most 253 characters, each another one", () => {
  const events = new EventSeries();
  const long = events.add(failed("a", aboutPod({ namespace: "shop", name: `${"a".repeat(234)}.b`, uid: "u" })), T0);
  const name = eventName(long as Series, 1);
  expect(name).toMatch(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
  expect(name.length).toBeLessThanOrEqual(253);
  expect(name).not.toContain("..");
  expect(eventName(long as Series, 2)).not.toBe(name);
  expect(eventName(long as Series, 0)).toMatch(new RegExp(`\\.${(BigInt(T0) * 1_000_000n).toString(16)}$`));
});

test("a long note is cut at a character, within 1024 bytes", () => {
  const events = new EventSeries();
  const { note } = events.add(failed("ü".repeat(1000)), T0) as Series;
  expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1024);
  expect(note).toMatch(/^ü+…$/);
});
