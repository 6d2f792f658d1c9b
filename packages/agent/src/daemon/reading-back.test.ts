import { type EventRecord, subjects } from "@millrace/core";
import { Subject } from "rxjs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLogger } from "../logging/logger.ts";
import { ReadingBack, type ReadingBackOptions } from "./reading-back.ts";

let records$: Subject<EventRecord>;
let readings: string[];
let stop: (() => void) | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  records$ = new Subject();
  readings = [];
});

afterEach(() => {
  stop?.();
  vi.useRealTimers();
});

function start(options: Partial<ReadingBackOptions> = {}): void {
  const subscription = new ReadingBack({
    records$,
    observe: async () => void readings.push("all"),
    observeWorkloads: async (uids) => {
      readings.push([...uids].join(" "));
      return true;
    },
    lastDurationMs: () => 0,
    log: createLogger({ format: "text", level: "silent" }),
    ...options,
  }).start();
  stop = () => subscription.unsubscribe();
}

const told = (type: "redirection.applied" | "redirection.removed" | "redirection.failed", ...about: string[]) => {
  for (const subject of about) records$.next({ type, subject } as EventRecord);
};
const [a, b] = [subjects.workload("a"), subjects.workload("b")];
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test("reads the workloads that were changed, those of half a second together", async () => {
  start();
  told("redirection.applied", a, a);
  told("redirection.removed", b);
  told("redirection.failed", subjects.workload("c"));
  await pass(499);
  expect(readings).toEqual([]);
  await pass(1);
  expect(readings).toEqual(["a b"]);
  told("redirection.applied", b);
  await pass(10_000);
  expect(readings).toEqual(["a b", "b"]);
});

test("reads everything for what concerns all, and for a backend that cannot do less", async () => {
  start({ observeWorkloads: async () => false });
  told("redirection.applied", subjects.proxies);
  await pass(500);
  expect(readings).toEqual(["all"]);
  told("redirection.applied", a);
  await pass(500);
  expect(readings).toEqual(["all", "all"]);
});

test("reads everything for the node's addresses so seldom that it takes a fiftieth of the time", async () => {
  start({ lastDurationMs: () => 80 });
  for (let ms = 0; ms < 11_000; ms += 100) {
    told("redirection.applied", subjects.node);
    await pass(100);
  }
  expect(readings).toEqual(["all", "all"]);
});

test("goes on after a reading that failed", async () => {
  let isFirst = true;
  start({
    observe: async () => {
      readings.push("all");
      if (isFirst) throw new Error("no netlink");
    },
  });
  told("redirection.applied", subjects.proxies);
  await pass(500);
  isFirst = false;
  told("redirection.applied", subjects.proxies);
  await pass(500);
  expect(readings).toEqual(["all", "all"]);
});
