import { LATENCY_CONNECTIONS, latency, maxQps } from "../loads.ts";
import { FULL } from "../plan.ts";
import { type Results, results } from "../results.ts";
import { sampleOf } from "./sample.ts";

const LOADS = [maxQps(1), maxQps(LATENCY_CONNECTIONS), latency(1), latency(LATENCY_CONNECTIONS)];

/** Of two repetitions of every mode, the modes one as much slower than the other. At one connection none keeps up with 8,000 requests/s. */
export function resultsOf(busy: number): Results {
  const samples = FULL.modes.flatMap(({ name: mode }, index) =>
    [1, 2].flatMap((repetition) =>
      LOADS.map((load) => {
        const requests = load.qps !== undefined && load.connections > 1 ? load.qps : 7_000 - 500 * index;
        return sampleOf({ mode, repetition, load, requests, p75: (1 + index) / 10 });
      }),
    ),
  );
  const where = { processor: "Some processor", processors: 2, memoryGib: 8, kernel: "6.18.0" };
  const machine = { ...where, busy, commit: "0123456789", began: "2026-01-02T03:04:05.678Z" };
  return results(FULL, machine, 90, samples);
}
