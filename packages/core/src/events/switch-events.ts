import { z } from "zod";
import { text } from "./fields.ts";

/**
 * Which backends have a workload, or the node's proxies, while a switch from one to the other is under way. Absent: the one that serves has it alone.
 * `joins`: that one gets it as well. `leaves`: that one hands it over to `on`, and lets go.
 */
export const placement = z.strictObject({ on: text, joins: z.exactOptional(text), leaves: z.exactOptional(text) });
export type Placement = Readonly<z.output<typeof placement>>;

/** A step of a switch that could not be done, for which its direction was turned. */
export const switchFailure = z.strictObject({ subject: text, code: text, message: z.string(), time: text });

/** A switch that is under way. */
export const switchUnderWay = z.strictObject({
  /** The backend that served when it began. */
  home: text,
  away: text,
  /** Where the node goes: `away` with all of it, or these workloads only; with none it goes back. */
  everything: z.boolean(),
  uids: z.array(text),
  /** `redirectMode` as configured when it was asked for: while that stays, so does what the switch has come to. */
  mode: text,
  reason: z.string(),
  /** When it was last asked for. */
  time: text,
  failure: z.exactOptional(switchFailure),
});
export type SwitchUnderWay = Readonly<z.output<typeof switchUnderWay>>;

/** What the last switch has come to. */
export const switched = z.strictObject({
  mode: text,
  backend: text,
  time: text,
  failure: z.exactOptional(switchFailure),
});
export type Switched = Readonly<z.output<typeof switched>>;

export const switchEvents = {
  /** Somebody wants the node, or these workloads, to be served by that backend, which is open. */
  "switch.requested": z.strictObject({
    to: text,
    uids: z.exactOptional(z.array(text)),
    mode: text,
    reason: z.string(),
  }),
} as const;
