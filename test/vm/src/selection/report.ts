import { z } from "zod";

/** One situation, and what came of it. */
export const Choice = z.object({
  situation: z.string(),
  expected: z.string(),
  /** The backend that serves; `none` when the agent refused to start. */
  backend: z.string(),
  /** The agent's own words. */
  reason: z.string(),
  /** Connections that the proxy took, each exactly once: out and in, IPv4 and IPv6. */
  captured: z.array(z.string()),
  /** Kind of the tunnel that carried packets on the node, and how many; `none` when none did. */
  tunnel: z.string(),
  passed: z.boolean(),
  failure: z.string().optional(),
});
export type Choice = z.output<typeof Choice>;

export const SelectionReport = z.object({
  kernel: z.string(),
  commit: z.string(),
  startedAt: z.string(),
  choices: z.array(Choice),
});
export type SelectionReport = z.output<typeof SelectionReport>;
