import { type EventInput, type ReduceConfig, reduceNamespace, reduceNode, reducePod } from "@millrace/core/internal";

/** A Kubernetes object, reduced to what decisions use. */
export type ObservedInput = EventInput<"namespace.observed" | "node.observed" | "pod.observed">;

/** Reduces a raw object. Undefined for kinds that nothing decides on. Throws ERR_KUBERNETES_OBJECT_INVALID of the core. */
export function reduceObject(kind: string, raw: unknown, config: ReduceConfig): ObservedInput | undefined {
  if (kind === "Pod") return reducePod(raw, config);
  if (kind === "Namespace") return reduceNamespace(raw, config);
  if (kind === "Node") return reduceNode(raw);
  return undefined;
}

/** Whether this node has a use for the object: pods of other nodes, and other nodes, are left out. */
export function isOfNode(input: ObservedInput, nodeName: string): boolean {
  if (input.type === "node.observed") return input.data.name === nodeName;
  return input.type !== "pod.observed" || input.data.nodeName === "" || input.data.nodeName === nodeName;
}
