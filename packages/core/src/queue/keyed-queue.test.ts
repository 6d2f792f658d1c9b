import { describe, expect, test } from "vitest";
import { backoffDelay } from "./backoff.ts";
import { KeyedQueue, type QueueOptions, type Timers } from "./keyed-queue.ts";

/** A clock that stands still until it is told to go on. */
class ManualTimers implements Timers {
  now = 0;
  #nextId = 1;
  readonly #timers = new Map<number, { at: number; callback: () => void }>();

  set(callback: () => void, delayMs: number): number {
    this.#timers.set(this.#nextId, { at: this.now + delayMs, callback });
    return this.#nextId++;
  }

  clear(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  get pending(): number[] {
    return [...this.#timers.values()].map(({ at }) => at - this.now).sort((a, b) => a - b);
  }

  async advance(ms: number): Promise<void> {
    this.now += ms;
    for (const [id, { at, callback }] of [...this.#timers]) {
      if (at > this.now) continue;
      this.#timers.delete(id);
      callback();
    }
    await turn();
  }
}

/** Everything that can happen without a clock has happened. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A queue whose runs end when the test says so. */
function queue(options: Partial<QueueOptions> = {}) {
  const timers = new ManualTimers();
  const started: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const retries: string[] = [];
  const keyed = new KeyedQueue({
    run: (key, attempt) => {
      started.push(`${key}#${attempt}`);
      const end = Promise.withResolvers<void>();
      ends.set(key, end);
      return end.promise;
    },
    retryDue: async (key, { attempt, delayMs }) => {
      retries.push(`${key}#${attempt} after ${delayMs}`);
      keyed.add(key);
    },
    random: () => 1,
    timers,
    ...options,
  });
  const end = async (key: string, failure?: Error) => {
    const running = ends.get(key);
    if (running === undefined) throw new Error(`${key} does not run`);
    ends.delete(key);
    if (failure === undefined) running.resolve();
    else running.reject(failure);
    await turn();
  };
  return { keyed, timers, started, retries, end };
}

const failure = new Error("no");

describe("coalescing", () => {
  test("a key that is added often while it waits runs once", async () => {
    const { keyed, started } = queue();
    for (let i = 0; i < 100; i++) keyed.add("a");
    await turn();
    expect(started).toEqual(["a#1"]);
  });

  test("a key that is added while it runs runs once more afterwards, never twice at once", async () => {
    const { keyed, started, end } = queue();
    keyed.add("a");
    await turn();
    keyed.add("a");
    keyed.add("a");
    await turn();
    expect(started).toEqual(["a#1"]);
    expect(keyed.status()).toEqual({ waiting: ["a"], running: ["a"], backingOff: [] });
    await end("a");
    expect(started).toEqual(["a#1", "a#1"]);
    await end("a");
    expect(keyed.status()).toEqual({ waiting: [], running: [], backingOff: [] });
  });

  test("100000 events about ten keys leave ten keys", () => {
    const { keyed } = queue({ concurrency: 1 });
    for (let i = 0; i < 100_000; i++) keyed.add(`key-${i % 10}`);
    const { waiting, running } = keyed.status();
    expect(new Set([...waiting, ...running]).size).toBe(10);
  });
});

describe("order", () => {
  test("no more run at once than allowed; the others in order of arrival", async () => {
    const { keyed, started, end } = queue({ concurrency: 2 });
    for (const key of ["a", "b", "c", "d"]) keyed.add(key);
    await turn();
    expect(started).toEqual(["a#1", "b#1"]);
    await end("b");
    expect(started).toEqual(["a#1", "b#1", "c#1"]);
  });

  test("lower ranks go first", async () => {
    const { keyed, started, end } = queue({ concurrency: 1, rank: (key) => (key === "proxies" ? 0 : 1) });
    for (const key of ["a", "b", "proxies"]) keyed.add(key);
    await turn();
    await end("a");
    await end("proxies");
    expect(started).toEqual(["a#1", "proxies#1", "b#1"]);
  });

  test("a key that waits for itself does not block the next", async () => {
    const { keyed, started } = queue({ concurrency: 2 });
    keyed.add("a");
    await turn();
    keyed.add("a");
    keyed.add("b");
    await turn();
    expect(started).toEqual(["a#1", "b#1"]);
  });
});

describe("failures", () => {
  test("are tried again without limit, with doubled delays up to the cap", async () => {
    const { keyed, timers, retries, started, end } = queue({ backoff: { baseMs: 100, capMs: 1000 } });
    keyed.add("a");
    await turn();
    const delays: number[] = [];
    for (let i = 0; i < 40; i++) {
      await end("a", failure);
      delays.push(timers.pending[0] ?? 0);
      await timers.advance(timers.pending[0] ?? 0);
    }
    expect(delays.slice(0, 6)).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect(new Set(delays.slice(4))).toEqual(new Set([1000]));
    expect(started).toHaveLength(41);
    expect(started.at(-1)).toBe("a#41");
    expect(retries[1]).toBe("a#3 after 200");
  });

  test("nothing runs before the delay is over", async () => {
    const { keyed, timers, started, end } = queue();
    keyed.add("a");
    await turn();
    await end("a", failure);
    await timers.advance(99);
    expect(started).toEqual(["a#1"]);
    expect(keyed.status().backingOff).toEqual([{ key: "a", failures: 1, delayMs: 100 }]);
    await timers.advance(1);
    expect(started).toEqual(["a#1", "a#2"]);
  });

  test("success begins the count anew", async () => {
    const { keyed, timers, started, end } = queue();
    keyed.add("a");
    await turn();
    await end("a", failure);
    await timers.advance(100);
    await end("a");
    keyed.add("a");
    await turn();
    expect(started).toEqual(["a#1", "a#2", "a#1"]);
  });

  test("news end the delay at once, but not the count", async () => {
    const { keyed, timers, started, end } = queue();
    keyed.add("a");
    await turn();
    await end("a", failure);
    keyed.add("a");
    await turn();
    expect(started).toEqual(["a#1", "a#2"]);
    expect(timers.pending).toEqual([]);
    await end("a", failure);
    expect(timers.pending).toEqual([200]);
  });

  test("news that came while it ran are tried at once, without a timer besides", async () => {
    const { keyed, timers, started, end } = queue();
    keyed.add("a");
    await turn();
    keyed.add("a");
    await end("a", failure);
    expect(started).toEqual(["a#1", "a#2"]);
    expect(timers.pending).toEqual([]);
  });

  test("a key that nobody asks for any more when its time comes is forgotten", async () => {
    const { keyed, timers, end } = queue({ retryDue: async () => {} });
    keyed.add("a");
    await turn();
    await end("a", failure);
    await timers.advance(100);
    expect(keyed.status()).toEqual({ waiting: [], running: [], backingOff: [] });
    keyed.add("a");
    await turn();
    await end("a", failure);
    expect(timers.pending).toEqual([100]);
  });
});

describe("closing", () => {
  test("waits for what runs, starts nothing and leaves no timer", async () => {
    const { keyed, timers, started, end } = queue({ concurrency: 1 });
    keyed.add("a");
    keyed.add("b");
    await turn();
    let closed = false;
    const closing = keyed.close().then(() => {
      closed = true;
    });
    await turn();
    expect(closed).toBe(false);
    await end("a", failure);
    await closing;
    keyed.add("c");
    await turn();
    expect(started).toEqual(["a#1"]);
    expect(timers.pending).toEqual([]);
  });

  test("stops the timers of keys that back off", async () => {
    const { keyed, timers, end } = queue();
    keyed.add("a");
    await turn();
    await end("a", failure);
    await keyed.close();
    expect(timers.pending).toEqual([]);
  });
});

test("jitter takes off up to half, so that keys that failed together come back apart", () => {
  const backoff = { baseMs: 100, capMs: 30_000 };
  expect(backoffDelay(backoff, 1, 0)).toBe(50);
  expect(backoffDelay(backoff, 1, 0.999)).toBe(100);
  expect(backoffDelay(backoff, 5, 0.5)).toBe(1200);
  expect(backoffDelay(backoff, 1_000_000, 0.999999)).toBe(30_000);
});
