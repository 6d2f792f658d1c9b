/** What a Kubernetes Event is about (core/v1 ObjectReference). */
export interface Regarding {
  readonly apiVersion: "v1";
  readonly kind: "Pod" | "Node";
  readonly name: string;
  readonly uid: string;
  readonly namespace?: string;
}

export const aboutPod = ({ namespace, name, uid }: { namespace: string; name: string; uid: string }): Regarding => ({
  apiVersion: "v1",
  kind: "Pod",
  namespace,
  name,
  uid,
});

/** Events about nodes name them by their name in place of the UID, as the kubelet's do, which `kubectl describe node` looks for. */
export const aboutNode = (name: string): Regarding => ({ apiVersion: "v1", kind: "Node", name, uid: name });

/** Events about what has no namespace are in `default` (Kubernetes, `pkg/apis/core/validation/events.go`). */
export const namespaceOf = ({ namespace }: Regarding): string => namespace ?? "default";
