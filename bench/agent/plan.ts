import { chosenVariants } from "../arguments.ts";
import type { Variant } from "../variants.ts";

/** What is measured of the agent's own cost. */
export interface AgentPlan {
  readonly name: "full" | "check";
  readonly variants: readonly Variant[];
  /** So many workloads on the node, in ascending order: how it grows. */
  readonly counts: readonly number[];
  readonly running: RunningPlan;
  /** Pods that come to the engine and go again: how many events it decides and writes. */
  readonly pods: number;
  /** Of each BPF program. */
  readonly programRuns: number;
}

/** An agent in a cluster that is left alone. */
export interface RunningPlan {
  /** The ways that are looked at. */
  readonly variants: readonly Variant[];
  readonly count: number;
  /** How long it has nothing to do before anything is looked at, in seconds. */
  readonly idleSeconds: number;
  /** How long its processor time is counted afterwards, in seconds. */
  readonly windowSeconds: number;
}

/** At how many workloads the lines at the end tell how long enrolling one takes. */
export const TOLD_COUNTS = [250, 4_000] as const;

const VARIANTS = chosenVariants("ebpf-clsact,ebpf-tcx,iptables-nft");

export const FULL: AgentPlan = {
  name: "full",
  variants: VARIANTS,
  counts: [50, 110, 250, 1_000, 4_000],
  // Four of the intervals at which an agent compares its node with the kernel.
  running: { variants: VARIANTS, count: 250, idleSeconds: 600, windowSeconds: 100 },
  pods: 20_000,
  programRuns: 1_000_000,
};

/** Whether everything works: its figures mean nothing. */
export const CHECK: AgentPlan = {
  name: "check",
  variants: VARIANTS,
  counts: [2, 4],
  running: { variants: VARIANTS.slice(0, 1), count: 3, idleSeconds: 0, windowSeconds: 1 },
  pods: 50,
  programRuns: 10_000,
};
