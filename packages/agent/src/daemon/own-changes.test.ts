import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { OwnChanges } from "./own-changes.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const lasting = (ms: number) => () => new Promise<void>((resolve) => void setTimeout(resolve, ms));

test("what is heard while something is done, and for a moment after the last of it, is an echo", async () => {
  const own = new OwnChanges();
  expect(own.echo).toBe(false);
  void own.during(lasting(1000));
  void own.during(lasting(2000));
  expect(own.echo).toBe(true);
  await vi.advanceTimersByTimeAsync(1999);
  expect(own.echo).toBe(true);
  await vi.advanceTimersByTimeAsync(1 + 299);
  expect(own.echo).toBe(true);
  await vi.advanceTimersByTimeAsync(1);
  expect(own.echo).toBe(false);
});

test("hands on what the work gave, also when it failed", async () => {
  const own = new OwnChanges();
  expect(await own.during(async () => 7)).toBe(7);
  await expect(own.during(async () => Promise.reject(new Error("no netlink")))).rejects.toThrow("no netlink");
  await vi.advanceTimersByTimeAsync(300);
  expect(own.echo).toBe(false);
});
