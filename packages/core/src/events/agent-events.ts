import { z } from "zod";
import { count, labels, phrases, text } from "./fields.ts";

/** The part of the configuration that decisions use; recorded, so that a replay decides with the same. */
export const decisionConfiguration = z.strictObject({
  redirectMode: text,
  failurePolicy: z.enum(["closed", "open"]),
  enrolExisting: z.enum(["drain", "reset"]),
  dnsCapture: z.boolean(),
  proxy: z.strictObject({ namespace: text, labels }),
  membership: z.strictObject({
    namespaceLabel: z.strictObject({ key: text, value: z.string() }),
    excludeNamespaces: z.array(text),
  }),
  /** Names of the watches that must have synced before the absence of an object means that it is gone. */
  watches: phrases,
});
export type DecisionConfiguration = z.output<typeof decisionConfiguration>;

/** The agent's own life: start, choice of backend, stop, and what the log lost. */
export const agentEvents = {
  "agent.started": z.strictObject({ version: text, node: text, config: decisionConfiguration }),
  "agent.stopped": z.strictObject({ reason: text }),
  "backend.selected": z.strictObject({
    /** `redirectMode` as configured. */
    mode: text,
    /** Name of the plugin that serves. */
    backend: text,
    probes: z.array(z.strictObject({ backend: text, capable: z.boolean(), summary: z.string() })),
    reason: text,
  }),
  "log.gap": z.strictObject({
    /** So many events directly before this one are not in the log: every `seq` that is missing is counted here. */
    count,
    reason: text,
    /** The rows before could not be read back: what follows does not rest on them. */
    unread: z.exactOptional(z.literal(true)),
  }),
} as const;
