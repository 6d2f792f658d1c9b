import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { RefreshLoop } from "./refresh-loop.ts";

const failing = () => {
  throw new Error("not expected");
};

test("gathers requests into one run, and the earliest decides when", async () => {
  const refresh = vi.fn(async () => undefined);
  await using loop = new RefreshLoop({ refresh, onError: failing, retryMs: 10 });
  loop.within(10_000);
  for (let i = 0; i < 20; i++) loop.within(20);
  loop.within(10_000);
  await vi.waitFor(() => expect(refresh).toHaveBeenCalledTimes(1), 10_000);
  await sleep(50);
  expect(refresh).toHaveBeenCalledTimes(1);
});

test("runs once more for what was asked during a run, never two at a time", async () => {
  let running = 0;
  let most = 0;
  const first = Promise.withResolvers<void>();
  const refresh = vi.fn(async () => {
    most = Math.max(most, ++running);
    await first.promise;
    running--;
    return undefined;
  });
  await using loop = new RefreshLoop({ refresh, onError: failing, retryMs: 10 });
  loop.within(0);
  await vi.waitFor(() => expect(running).toBe(1), 10_000);
  loop.within(0);
  loop.within(0);
  await sleep(20);
  first.resolve();
  await vi.waitFor(() => expect(refresh).toHaveBeenCalledTimes(2), 10_000);
  await sleep(60);
  expect(refresh).toHaveBeenCalledTimes(2);
  expect(most).toBe(1);
});

test("comes back after the time that the run named", async () => {
  const refresh = vi.fn(async () => 5);
  await using loop = new RefreshLoop({ refresh, onError: failing, retryMs: 10_000 });
  loop.within(0);
  await vi.waitFor(() => expect(refresh.mock.calls.length).toBeGreaterThan(3), 10_000);
});

test("tells an error and tries again", async () => {
  const onError = vi.fn();
  const refresh = vi.fn(async () => undefined).mockRejectedValueOnce(new Error("once"));
  await using loop = new RefreshLoop({ refresh, onError, retryMs: 5 });
  loop.within(0);
  await vi.waitFor(() => expect(refresh).toHaveBeenCalledTimes(2), 10_000);
  expect(onError).toHaveBeenCalledExactlyOnceWith(new Error("once"));
});

test("stopping waits for the run, aborts its signal and allows no other", async () => {
  let ended = false;
  const refresh = vi.fn(async (signal: AbortSignal) => {
    await once(signal, "abort");
    await sleep(10);
    ended = true;
    return 0;
  });
  const loop = new RefreshLoop({ refresh, onError: failing, retryMs: 1 });
  loop.within(0);
  await vi.waitFor(() => expect(refresh).toHaveBeenCalled(), 10_000);
  await loop[Symbol.asyncDispose]();
  expect(ended).toBe(true);
  loop.within(0);
  await sleep(30);
  expect(refresh).toHaveBeenCalledTimes(1);
});
