import type { WantedObject } from "../control-plane/api-client.ts";

/** The label that makes the pods of a namespace members, as the agent has it by default. */
export const MEMBER_LABEL = { "istio.io/dataplane-mode": "ambient" } as const;

export function namespaceObject(name: string, labels: Readonly<Record<string, string>> = {}): WantedObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

export interface PodObjectOptions {
  readonly name: string;
  readonly namespace: string;
  readonly nodeName: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly serviceAccountName?: string;
  readonly hostNetwork?: boolean;
}

/** A pod that is bound to its node already, as the scheduler leaves it. Nothing runs its image. */
export function podObject(options: PodObjectOptions): WantedObject {
  const { name, namespace, nodeName, labels = {}, annotations = {} } = options;
  const { serviceAccountName = "default", hostNetwork = false } = options;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels, annotations },
    spec: {
      nodeName,
      serviceAccountName,
      hostNetwork,
      terminationGracePeriodSeconds: 30,
      containers: [{ name: "main", image: "registry.example/demo:1" }],
    },
  };
}

/** What the kubelet patches into `pods/status` once a pod runs. */
export function runningStatus(hostAddresses: readonly string[], addresses: readonly string[]): object {
  const now = new Date().toISOString().replace(/\.\d{3}Z$/, "Z");
  const condition = (type: string) => ({ type, status: "True", lastTransitionTime: now });
  return {
    status: {
      phase: "Running",
      conditions: ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition),
      hostIP: hostAddresses[0],
      hostIPs: hostAddresses.map((ip) => ({ ip })),
      podIP: addresses[0],
      podIPs: addresses.map((ip) => ({ ip })),
      startTime: now,
    },
  };
}
