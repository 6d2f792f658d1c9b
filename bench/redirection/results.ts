import type { Machine } from "./machine.ts";
import type { Plan } from "./plan.ts";
import { type Ratio, ratios } from "./ratios.ts";
import { type Row, rows } from "./rows.ts";
import type { Sample } from "./sample.ts";

/** All that a run found, as it is written down. */
export interface Results {
  readonly plan: Plan["name"];
  readonly machine: Machine;
  readonly seconds: number;
  readonly ratios: readonly Ratio[];
  readonly rows: readonly Row[];
  readonly samples: readonly Sample[];
}

export function results(plan: Plan, machine: Machine, seconds: number, samples: readonly Sample[]): Results {
  return { plan: plan.name, machine, seconds, ratios: ratios(samples), rows: rows(samples), samples };
}
