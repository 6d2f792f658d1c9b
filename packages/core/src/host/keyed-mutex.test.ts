import { expect, test } from "vitest";
import { KeyedMutex } from "./keyed-mutex.ts";

test("one after the other for one key, also after a failure; side by side for two", async () => {
  const mutex = new KeyedMutex();
  const trace: string[] = [];
  const gate = Promise.withResolvers<void>();
  const step = (name: string, wait?: Promise<void>) => async () => {
    trace.push(`${name} begins`);
    await wait;
    trace.push(`${name} ends`);
    if (name === "a1") throw new Error("a1 failed");
    return name;
  };
  const first = mutex.run("a", step("a1", gate.promise));
  const second = mutex.run("a", step("a2"));
  expect(await mutex.run("b", step("b1"))).toBe("b1");
  expect(mutex.busy).toContain("a");
  gate.resolve();
  await expect(first).rejects.toThrow("a1 failed");
  expect(await second).toBe("a2");
  expect(trace).toEqual(["a1 begins", "b1 begins", "b1 ends", "a1 ends", "a2 begins", "a2 ends"]);
  await expect.poll(() => mutex.busy).toEqual([]);
});
