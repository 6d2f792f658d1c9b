import { chosenVariants } from "../../arguments.ts";
import { FULL } from "../plan.ts";
import type { AgentResults } from "../results.ts";

/** A run in which everything takes as many milliseconds as there are workloads, on a machine that was busy to this part. */
export function agentResultsOf(busy: number): AgentResults {
  const variants = chosenVariants("ebpf-clsact,ebpf-tcx").map(({ name }) => name);
  const where = { processor: "Some processor", processors: 2, memoryGib: 8, kernel: "6.18.0" };
  return {
    plan: "full",
    machine: { ...where, busy, commit: "0123456789", began: "2026-01-02T03:04:05.678Z" },
    seconds: 90,
    growth: FULL.counts.flatMap((count) =>
      variants.map((variant) => ({
        variant,
        count,
        enrol: { p50: count / 2, p99: count, max: count },
        lastEnrol: { p50: count / 2, p99: count, max: count },
        rebuild: count * 10,
        uninstall: 1,
        changedAgain: 0,
      })),
    ),
    running: variants.map((variant, index) => ({
      variant,
      count: 250,
      start: { servingMs: 1_000, enrolledMs: 2_000, againMs: 3_000 },
      enrol: { p50: 1, p99: 2, max: 3 },
      log: { events: 2_500, bytes: 750_000 },
      idleLog: { events: 4, bytes: 400 },
      idleSeconds: 600,
      windowSeconds: 100,
      rssMib: 100 + index,
      anonymousMib: 60,
      peakRssMib: 150,
      idleCpuPercent: 0.25 - index / 10,
    })),
    throughput: { events: 100_000, seconds: 10 },
    programs: [
      { name: "an empty program", nanoseconds: 25 },
      { name: "app_outbound, IPv4 captured", nanoseconds: 118 },
    ],
  };
}
