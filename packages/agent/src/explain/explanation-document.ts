import { z } from "zod";

const flowSchema = z.object({
  protocol: z.enum(["tcp", "udp"]),
  direction: z.enum(["outbound", "inbound"]),
  uid: z.string(),
  address: z.string(),
  peer: z.string(),
  port: z.int(),
});

const fateSchema = z.object({
  fate: z.enum(["captured", "bypassed", "dropped", "untouched"]),
  to: z.object({ proxy: z.string(), port: z.int() }).optional(),
  steps: z.array(z.object({ object: z.string(), does: z.string() })),
  problems: z.array(z.string()),
});

/** Why a pod is redirected or not, and what becomes of one flow of it. As the agent answers it; fields are only ever added. */
export const explanationSchema = z.object({
  pod: z.object({ uid: z.string(), namespace: z.string(), name: z.string(), addresses: z.array(z.string()) }),
  /** As of `millrace status`: `member` is to be redirected, `pending` cannot be yet. */
  membership: z.enum(["member", "pending", "not-member", "unknown"]),
  /** Why it is no member, or not yet redirected. */
  reason: z.string().optional(),
  /** What came of the last thing that was asked of the backend. */
  outcome: z.string().optional(),
  /** Subjects of the event log whose last events this rests on. */
  subjects: z.array(z.string()),
  backend: z.string().optional(),
  /** What was asked about; absent where nothing was. */
  flow: flowSchema.optional(),
  /** What the backend says; absent where there is no flow, and where `unexplained` says why. */
  explanation: fateSchema.optional(),
  unexplained: z.string().optional(),
});

export type ExplanationDocument = z.output<typeof explanationSchema>;
export type FlowDocument = z.output<typeof flowSchema>;
