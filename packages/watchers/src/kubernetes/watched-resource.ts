import { subjects, WATCHES } from "@millrace/core/internal";

/** A kind of object, and which of them are watched. */
export interface WatchedResource {
  /** Name of the watch: in events, logs, status and metrics. */
  readonly watch: string;
  readonly kind: "Pod" | "Namespace" | "Node";
  readonly path: string;
  readonly fieldSelector?: string;
  /** Said where a list has nothing in it, which is no error but seldom meant. */
  readonly whenEmpty?: string;
  /** The subject of an object of which no more can be trusted than its metadata; undefined when not even that. */
  subjectOf(metadata: ObjectIdentity): string | undefined;
}

export interface ObjectIdentity {
  readonly name?: unknown;
  readonly namespace?: unknown;
  readonly uid?: unknown;
}

/** What decisions need: the pods of this node, every namespace (a pod may come from any), and the node itself. */
export function watchedResources(nodeName: string): WatchedResource[] {
  return [
    {
      watch: WATCHES.namespaces,
      kind: "Namespace",
      path: "/api/v1/namespaces",
      subjectOf: ({ name }) => (typeof name === "string" ? subjects.namespace(name) : undefined),
    },
    {
      watch: WATCHES.pods,
      kind: "Pod",
      path: "/api/v1/pods",
      fieldSelector: `spec.nodeName=${nodeName}`,
      // By UID: a pod that comes again under the same name is another one.
      subjectOf: ({ uid }) => (typeof uid === "string" ? subjects.pod(uid) : undefined),
    },
    {
      watch: WATCHES.node,
      kind: "Node",
      path: "/api/v1/nodes",
      fieldSelector: `metadata.name=${nodeName}`,
      // Under a wrong name there are no pods either, and everything would look well.
      whenEmpty: "the API server knows no node of this name: check node.name, or wait until the kubelet registers it",
      subjectOf: () => subjects.node,
    },
  ];
}
