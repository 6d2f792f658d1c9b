import { setImmediate as turn } from "node:timers/promises";
import { KeyedMutex } from "@millrace/host";
import { expect, test } from "vitest";
import { holdingAll } from "./holding-all.ts";

test("waits for all of its keys, keeps them until it is over, and leaves others alone", async () => {
  const mutex = new KeyedMutex();
  const trace: string[] = [];
  const step = (name: string) => async () => {
    trace.push(`${name} starts`);
    await turn();
    trace.push(`${name} ends`);
    if (name === "ab") throw new Error("ab failed");
    return name;
  };
  const results = await Promise.allSettled([
    holdingAll(mutex, ["a"], step("a")),
    holdingAll(mutex, ["a", "b", "a"], step("ab")),
    holdingAll(mutex, ["b"], step("b")),
    holdingAll(mutex, ["c"], step("c")),
  ]);
  expect(results.map((result) => (result.status === "fulfilled" ? result.value : "failed"))).toEqual([
    "a",
    "failed",
    "b",
    "c",
  ]);
  expect(trace.filter((line) => !line.startsWith("c"))).toEqual([
    "a starts",
    "a ends",
    "ab starts",
    "ab ends",
    "b starts",
    "b ends",
  ]);
  expect(trace.indexOf("c starts")).toBeLessThan(trace.indexOf("a ends"));
  await turn(); // A key is let go of behind the result.
  expect(mutex.busy).toEqual([]);
});

test("two that want the same keys the other way round both get them", async () => {
  const mutex = new KeyedMutex();
  const both = [holdingAll(mutex, ["a", "b"], turn), holdingAll(mutex, ["b", "a"], turn)];
  await Promise.all(both);
  await turn(); // A key is let go of behind the result.
  expect(mutex.busy).toEqual([]);
});
