import { z } from "zod";

const refusal = z.object({ code: z.string(), message: z.string() });

/** What a plan says of one workload. */
export const plannedSchema = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** What it would have in the kernel, one line for each object. */
  objects: z.array(z.string()),
  refused: refusal.optional(),
  partly: refusal.optional(),
});
export type PlannedDocument = z.infer<typeof plannedSchema>;

const count = z.object({
  direction: z.enum(["outbound", "inbound"]),
  verdict: z.string(),
  fate: z.enum(["captured", "dropped", "let by", "delivered"]),
  connections: z.int(),
  packets: z.int(),
});

const shadowed = plannedSchema.extend({
  /** Whether the kernel was last seen to hold all of its redirection by the backend that serves. */
  isEnrolled: z.boolean(),
  /** What the shadow counted; absent where it does not count. */
  counts: z.array(count).optional(),
  /** Why not everything is counted. */
  problems: z.array(z.string()),
});
export type ShadowedDocument = z.infer<typeof shadowed>;

/** What `GET /shadow` answers: the shape of `millrace shadow --json`. Fields are only ever added. */
export const shadowSchema = z.object({
  /** The setting. */
  shadow: z.enum(["off", "ebpf", "iptables"]),
  /** The backend that serves. */
  active: z.string().optional(),
  /** When it began to count; absent where it does not. */
  since: z.string().optional(),
  /** Why it does not count or cannot plan; absent when all is well. */
  problem: z.string().optional(),
  /** What all workloads would share. */
  shared: z.array(z.string()),
  /** What would keep it from serving. */
  refused: z.array(refusal),
  workloads: z.array(shadowed),
  /** The shadow's sums beside the counters of the backend that serves, since it began to count. */
  comparisons: z.array(
    z.object({
      what: z.string(),
      shadow: z.int(),
      /** Absent where that cannot be told: the counter began anew meanwhile. */
      active: z.int().optional(),
      counter: z.string(),
    }),
  ),
  /** What one of the two captures and the other does not, one phrase each, with the reason. */
  differences: z.array(z.string()),
});
export type ShadowDocument = z.infer<typeof shadowSchema>;
