import { type EventRecord, subjects } from "@millrace/core/internal";
import { Subject } from "rxjs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLogger } from "../logging/logger.ts";
import { ReadingBack, type ReadingBackOptions } from "./reading-back.ts";

let records$: Subject<EventRecord>;
let changes$: Subject<string>;
let readings: string[];
let stop: (() => void) | undefined;

beforeEach(() => {
  vi.useFakeTimers();
  records$ = new Subject();
  changes$ = new Subject();
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
    changes$,
    cpuTimeMs: () => 0,
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

test("reads everything for what others changed, and for the node's addresses, once it has settled", async () => {
  start();
  changes$.next("IPv4 rule 60 removed");
  await pass(499);
  changes$.next("IPv4 rule 61 removed");
  expect(readings).toEqual([]);
  await pass(1);
  expect(readings).toEqual(["all"]);
  told("redirection.applied", subjects.node);
  await pass(500);
  expect(readings).toEqual(["all", "all"]);
});

test("reads what others cause so seldom that it takes half a percent of a core, also while a reading lasts", async () => {
  let spent = 0;
  start({
    cpuTimeMs: () => spent,
    observe: async () => {
      readings.push("all");
      spent += 20;
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    },
  });
  for (let ms = 0; ms < 10_400; ms += 100) {
    if (ms % 200 === 0) changes$.next("IPv4 rule 60 removed");
    else told("redirection.applied", subjects.node);
    await pass(100);
  }
  // At 0.5 s, and from the end of a reading 200 times 20 ms later: at 5.5 s.
  expect(readings).toEqual(["all", "all"]);
  await pass(200);
  expect(readings).toEqual(["all", "all", "all"]);
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
