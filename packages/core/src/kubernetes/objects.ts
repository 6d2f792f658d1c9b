import { z } from "zod";

/**
 * The parts of core/v1 objects that Millrace reads, as `kubectl get -o yaml` prints them. Everything else is ignored, so an object of a
 * newer Kubernetes is no error. YAML 1.2 reads an unquoted timestamp as a string, which is what these schemas expect.
 */
const labels = z.record(z.string(), z.string()).nullish();

const metadata = z.object({
  name: z.string().min(1),
  namespace: z.string().min(1).optional(),
  uid: z.string().min(1).optional(),
  labels,
  annotations: labels,
  creationTimestamp: z.string().nullish(),
  deletionTimestamp: z.string().nullish(),
});

export const rawPod = z.object({
  apiVersion: z.literal("v1").optional(),
  kind: z.literal("Pod").optional(),
  metadata: metadata.extend({ namespace: z.string().min(1), uid: z.string().min(1) }),
  spec: z.object({ nodeName: z.string().optional(), hostNetwork: z.boolean().optional() }).nullish(),
  status: z
    .object({
      phase: z.enum(["Pending", "Running", "Succeeded", "Failed", "Unknown"]).optional(),
      podIP: z.string().optional(),
      podIPs: z.array(z.object({ ip: z.string() })).optional(),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish(),
    })
    .nullish(),
});

export const rawNamespace = z.object({
  apiVersion: z.literal("v1").optional(),
  kind: z.literal("Namespace").optional(),
  metadata,
});

export const rawNode = z.object({
  apiVersion: z.literal("v1").optional(),
  kind: z.literal("Node").optional(),
  metadata,
  status: z.object({ addresses: z.array(z.object({ type: z.string(), address: z.string() })).optional() }).nullish(),
});
