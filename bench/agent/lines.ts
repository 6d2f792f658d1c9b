import { TOLD_COUNTS } from "./plan.ts";
import type { AgentResults } from "./results.ts";

/** The way whose enrolments are told: an older kernel has no other of the eBPF backend's. */
const TOLD_VARIANT = "ebpf-clsact";

/**
 * `agent NAME VALUE`, a line each. Memory and processor time: the most of all ways that were measured. Where nothing was measured there is no line.
 */
export function agentLines({ growth, running }: Pick<AgentResults, "growth" | "running">): string[] {
  const line = (name: string, value: number | undefined, digits: number) =>
    value === undefined ? [] : [`agent ${name} ${value.toFixed(digits)}`];
  const most = (values: readonly number[]) => (values.length === 0 ? undefined : Math.max(...values));
  const p99 = (wanted: number) =>
    growth.find(({ variant, count }) => variant === TOLD_VARIANT && count === wanted)?.enrol.p99;
  return [
    ...line("rss-mib", most(running.map(({ rssMib }) => rssMib)), 1),
    ...line("idle-cpu-percent", most(running.map(({ idleCpuPercent }) => idleCpuPercent)), 2),
    ...TOLD_COUNTS.flatMap((count) => line(`enrol-p99-ms-${count}`, p99(count), 1)),
  ];
}
