import { z } from "zod";
import { agentEvents, decisionConfiguration } from "./agent-events.ts";
import { addresses, count, milliseconds, phrases, text } from "./fields.ts";
import { kernelEvents } from "./kernel-events.ts";
import { kubernetesEvents } from "./kubernetes-events.ts";
import { nodeSpec, proxiesSpec, removeSpec, workloadSpec } from "./redirection-events.ts";
import { switched, switchUnderWay } from "./switch-events.ts";

const time = text;

const intent = { seq: count, time, subject: text };

/** The whole state, as lists in a fixed order, so that a replay can begin here. The order of keys is that of canonical JSON. */
export const stateSnapshot = z.strictObject({
  agent: z.exactOptional(
    z.strictObject({
      version: text,
      node: text,
      config: decisionConfiguration,
      startedAt: time,
      stopped: z.exactOptional(z.strictObject({ reason: text, time })),
    }),
  ),
  backend: z.exactOptional(agentEvents["backend.selected"]),
  switch: z.exactOptional(switchUnderWay),
  switched: z.exactOptional(switched),
  namespaces: z.array(kubernetesEvents["namespace.observed"]),
  pods: z.array(kubernetesEvents["pod.observed"]),
  interfaces: z.array(kernelEvents["interface.added"].extend({ seq: count })),
  hostAddresses: addresses,
  observedAddresses: addresses,
  watches: z.array(
    z.strictObject({
      watch: text,
      state: z.enum(["synced", "lost"]),
      listed: z.boolean(),
      reason: z.exactOptional(text),
      time,
    }),
  ),
  /** Absent in snapshots of before there was a memory, and where nothing is remembered. */
  remembered: z.exactOptional(
    z.strictObject({
      namespaces: z.array(kubernetesEvents["namespace.observed"]),
      pods: z.array(kubernetesEvents["pod.observed"]),
    }),
  ),
  recalled: z.exactOptional(z.array(text)),
  requested: z.array(
    z.discriminatedUnion("action", [
      z.strictObject({ ...intent, action: z.literal("apply"), spec: workloadSpec }),
      z.strictObject({ ...intent, action: z.literal("remove"), spec: removeSpec }),
      z.strictObject({ ...intent, action: z.literal("use-proxies"), spec: proxiesSpec }),
      z.strictObject({ ...intent, action: z.literal("use-node"), spec: nodeSpec }),
    ]),
  ),
  outcomes: z.array(
    z.strictObject({
      subject: text,
      state: z.enum(["pending", "applied", "failed"]),
      generation: count,
      attempt: count,
      durationMs: z.exactOptional(milliseconds),
      error: z.exactOptional(z.strictObject({ code: text, message: z.string() })),
      time,
    }),
  ),
  drift: z.array(z.strictObject({ subject: text, problems: phrases })),
  discovery: z.array(kernelEvents["discovery.failed"]),
  carried: z.array(text),
  carriedProxies: z.array(text),
  again: z.array(text),
});
export type StateSnapshot = z.output<typeof stateSnapshot>;

/** Written after a gap, after a start and every so often: where restoring and replaying can begin. */
export const snapshotEvents = { "state.snapshot": stateSnapshot } as const;
