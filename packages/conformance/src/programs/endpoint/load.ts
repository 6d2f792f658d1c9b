import { setTimeout as sleep } from "node:timers/promises";
import { within } from "../../slow.ts";
import type { LoadFailure, LoadRequest, LoadResult, Outcome, Place } from "./protocol.ts";
import { report } from "./tcp-client.ts";

/**
 * Opens new connections at a steady rate whatever becomes of the earlier ones (an open loop: a slow server does not slow
 * the load down and so hide itself), asks each for a report and keeps every failure.
 */
export async function load({ targets, rate, seconds, timeoutMs = within(5_000) }: LoadRequest): Promise<LoadResult> {
  const attempts = Math.round(rate * seconds);
  const started = performance.now();
  const latencies: number[] = [];
  const failures: LoadFailure[] = [];
  const running: Promise<void>[] = [];
  for (let index = 0; index < attempts; index++) {
    const due = (index * 1000) / rate;
    const wait = due - (performance.now() - started);
    if (wait > 1) await sleep(wait);
    const target = targets[index % targets.length];
    if (target === undefined) throw new Error("a load needs at least one target");
    const atMs = Math.round(performance.now() - started);
    running.push(
      report({ ...target, timeoutMs }).then((outcome) => {
        if (outcome.ok) latencies.push(outcome.ms);
        else failures.push(failed(target, atMs, outcome));
      }),
    );
  }
  await Promise.all(running);
  latencies.sort((a, b) => a - b);
  const quantile = (q: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? 0;
  return {
    attempts,
    succeeded: latencies.length,
    failures,
    latencyMs: { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) },
  };
}

function failed(target: Place, atMs: number, { ok, ...how }: Outcome<unknown> & { ok: false }): LoadFailure {
  return { target, atMs, ...how };
}
