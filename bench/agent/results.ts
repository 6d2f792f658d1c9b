import type { Machine } from "../redirection/machine.ts";
import type { Growth } from "./growth.ts";
import type { AgentPlan } from "./plan.ts";
import type { ProgramCost } from "./programs.ts";
import type { Running } from "./running.ts";
import type { Throughput } from "./throughput.ts";

/** All that a run found, as it is written down. */
export interface AgentResults {
  readonly plan: AgentPlan["name"];
  readonly machine: Machine;
  readonly seconds: number;
  readonly growth: readonly Growth[];
  readonly running: readonly Running[];
  readonly throughput: Throughput;
  readonly programs: readonly ProgramCost[];
}
