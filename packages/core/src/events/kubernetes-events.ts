import { z } from "zod";
import { addresses, labels, text, timestamp } from "./fields.ts";

/** Pod phases of the Kubernetes API (core/v1 PodPhase). */
export const podPhase = z.enum(["Pending", "Running", "Succeeded", "Failed", "Unknown"]);
export type PodPhase = z.output<typeof podPhase>;

/** Kubernetes objects, reduced to what decisions use, and the watches that bring them. */
export const kubernetesEvents = {
  "namespace.observed": z.strictObject({ name: text, labels }),
  "namespace.removed": z.strictObject({ name: text }),
  "pod.observed": z.strictObject({
    uid: text,
    namespace: text,
    name: text,
    /** `spec.nodeName`; empty while the pod is not scheduled. */
    nodeName: z.string(),
    /** Only the keys that the proxy selector uses. */
    labels,
    /** Only the keys that membership uses. */
    annotations: labels,
    hostNetwork: z.boolean(),
    phase: podPhase,
    /** The pod's condition `Ready` is `True`. */
    ready: z.boolean(),
    /** `metadata.deletionTimestamp` is set. */
    terminating: z.boolean(),
    addresses,
    createdAt: timestamp,
  }),
  "pod.removed": z.strictObject({ uid: text }),
  "node.observed": z.strictObject({ name: text, addresses }),
  "watch.synced": z.strictObject({ watch: text }),
  "watch.lost": z.strictObject({ watch: text, reason: text }),
} as const;
