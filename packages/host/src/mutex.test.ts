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

it("lets others have their turn between two pieces of work that never wait", async () => {
  const mutex = new Mutex();
  const trace: string[] = [];
  setImmediate(() => trace.push("somebody else"));
  await Promise.all(["a", "b"].map((name) => mutex.run(async () => trace.push(name))));
  expect(trace).toEqual(["a", "somebody else", "b"]);
});
