import { z } from "zod";
import { plannedSchema } from "../shadow/shadow-document.ts";

/** What `POST /switch` takes. */
export const switchRequestSchema = z.strictObject({
  to: z.string().min(1),
  /** `namespace/name` or UIDs; absent: the whole node. */
  pods: z.array(z.string().min(1)).min(1).optional(),
  dryRun: z.boolean().default(false),
});
export type SwitchRequest = z.output<typeof switchRequestSchema>;

/** What it answers. */
export const switchAnswerSchema = z.object({
  from: z.string(),
  to: z.string(),
  /** What the backend to come said of this host. */
  summary: z.string(),
  /** In order, one phrase each: what is done unless something fails or changes meanwhile. */
  steps: z.array(z.string()),
  isBegun: z.boolean(),
  /** Of a dry run: what that backend cannot do without and this host does not have, one phrase each. */
  lacks: z.array(z.string()).default([]),
  /** What it would be refused at, but for single workloads. */
  refused: z.array(z.string()).default([]),
  /** What is planned for each workload that would move; absent where the backend cannot tell. */
  workloads: z.array(plannedSchema).optional(),
});
export type SwitchAnswer = z.infer<typeof switchAnswerSchema>;

/** In the status: the switch that is under way, or how the last one ended. */
export const switchStatusSchema = z.object({
  state: z.enum(["under way", "done"]),
  from: z.string().optional(),
  to: z.string(),
  reason: z.string().optional(),
  /** Only some workloads were asked for: it stays under way for as long as they are elsewhere than the rest. */
  isPartial: z.boolean().optional(),
  time: z.string(),
  /** Workloads that are where they are to be, and those that are not. */
  moved: z.int().optional(),
  remaining: z.int().optional(),
  /** Backends of which only what open connections need is left. */
  standby: z.array(z.string()),
  /** Why it was turned. */
  failure: z.string().optional(),
});
export type SwitchStatus = z.infer<typeof switchStatusSchema>;
