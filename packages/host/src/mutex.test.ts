import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Mutex } from "./mutex.ts";

it("runs one piece of work at a time, in order, and goes on after a failure", async () => {
  const mutex = new Mutex();
  const trace: string[] = [];
  const step = (name: string) => async () => {
    trace.push(`${name} starts`);
    await new Promise((resolve) => setImmediate(resolve));
    trace.push(`${name} ends`);
    if (name === "b") throw new Error("b failed");
    return name;
  };
  const results = await Promise.allSettled([mutex.run(step("a")), mutex.run(step("b")), mutex.run(step("c"))]);
  expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(trace).toEqual(["a starts", "a ends", "b starts", "b ends", "c starts", "c ends"]);
});

it("runs what is shared side by side, and nothing else beside it", async () => {
  const mutex = new Mutex();
  const running = new Set<string>();
  const seen: string[] = [];
  const work = (name: string) => async () => {
    running.add(name);
    seen.push([...running].sort().join("+"));
    await sleep(5);
    running.delete(name);
    if (name === "b") throw new Error("b failed");
  };
  const results = await Promise.allSettled([
    mutex.runShared(work("a")),
    mutex.runShared(work("b")),
    mutex.run(work("C")),
    mutex.run(work("D")),
    mutex.runShared(work("e")),
    mutex.runShared(work("f")),
    mutex.run(work("G")),
  ]);
  expect(seen).toEqual(["a", "a+b", "C", "D", "e", "e+f", "G"]);
  expect(results.map(({ status }) => status === "rejected")).toEqual([false, true, false, false, false, false, false]);
});

it("lets others have their turn between the beginnings of what is shared", async () => {
  const mutex = new Mutex();
  const trace: string[] = [];
  setImmediate(() => trace.push("somebody else"));
  await Promise.all(["a", "b"].map((name) => mutex.runShared(async () => trace.push(name))));
  expect(trace).toEqual(["a", "somebody else", "b"]);
});

it("lets others have their turn between two pieces of work that never wait", async () => {
  const mutex = new Mutex();
  const trace: string[] = [];
  setImmediate(() => trace.push("somebody else"));
  await Promise.all(["a", "b"].map((name) => mutex.run(async () => trace.push(name))));
  expect(trace).toEqual(["a", "somebody else", "b"]);
});
