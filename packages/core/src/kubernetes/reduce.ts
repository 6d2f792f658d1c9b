import { z } from "zod";
import { CoreError } from "../errors.ts";
import { canonicalAddress, sortedUnique } from "../events/address.ts";
import type { DecisionConfiguration } from "../events/agent-events.ts";
import type { EventInput } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { ANNOTATIONS } from "./annotations.ts";
import { rawNamespace, rawNode, rawPod } from "./objects.ts";

/** The part of the configuration that says which labels decisions look at. */
export type ReduceConfig = {
  readonly proxy: Pick<DecisionConfiguration["proxy"], "labels">;
  readonly membership: Pick<DecisionConfiguration["membership"], "namespaceLabel">;
};

/** A v1 Pod → `pod.observed`. Throws ERR_KUBERNETES_OBJECT_INVALID. An address that is none is left out, as if not yet assigned. */
export function reducePod(raw: unknown, config: ReduceConfig): EventInput<"pod.observed"> {
  const { metadata, spec, status } = parse(rawPod, raw, "Pod");
  const ips = [...(status?.podIPs ?? []).map(({ ip }) => ip), ...(status?.podIP === undefined ? [] : [status.podIP])];
  return inputs.podObserved({
    uid: metadata.uid,
    namespace: metadata.namespace,
    name: metadata.name,
    nodeName: spec?.nodeName ?? "",
    labels: pick(metadata.labels, Object.keys(config.proxy.labels)),
    annotations: pick(metadata.annotations, Object.values(ANNOTATIONS)),
    hostNetwork: spec?.hostNetwork ?? false,
    phase: status?.phase ?? "Pending",
    ready: (status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True"),
    terminating: (metadata.deletionTimestamp ?? null) !== null,
    addresses: canonicalAddresses(ips),
    createdAt: createdAt(metadata.creationTimestamp),
  });
}

/** A v1 Namespace → `namespace.observed`. Throws ERR_KUBERNETES_OBJECT_INVALID. */
export function reduceNamespace(raw: unknown, config: ReduceConfig): EventInput<"namespace.observed"> {
  const { metadata } = parse(rawNamespace, raw, "Namespace");
  return inputs.namespaceObserved({
    name: metadata.name,
    labels: pick(metadata.labels, [config.membership.namespaceLabel.key]),
  });
}

/**
 * A v1 Node → `node.observed`. Throws ERR_KUBERNETES_OBJECT_INVALID. Only `InternalIP` counts: `ExternalIP` is often translated on the
 * way, so it need not be an address of the node's own interfaces.
 */
export function reduceNode(raw: unknown): EventInput<"node.observed"> {
  const { metadata, status } = parse(rawNode, raw, "Node");
  const internal = (status?.addresses ?? []).filter(({ type }) => type === "InternalIP");
  return inputs.nodeObserved({
    name: metadata.name,
    addresses: canonicalAddresses(internal.map(({ address }) => address)),
  });
}

function parse<T>(schema: z.ZodType<T>, raw: unknown, kind: string): T {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const name = (raw as { metadata?: { name?: unknown } } | null)?.metadata?.name;
  throw new CoreError(
    "ERR_KUBERNETES_OBJECT_INVALID",
    `${kind} ${typeof name === "string" ? name : "(no name)"}: ${z.prettifyError(result.error)}`,
    { cause: result.error },
  );
}

function pick(
  all: Readonly<Record<string, string>> | null | undefined,
  keys: readonly string[],
): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const key of sortedUnique(keys)) {
    const value = all?.[key];
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}

function canonicalAddresses(ips: readonly string[]): string[] {
  return sortedUnique(ips.map(canonicalAddress).filter((ip) => ip !== undefined));
}

/** One form in UTC, so that creation times compare as text; a manifest without one is the oldest there can be. */
function createdAt(timestamp: string | null | undefined): string {
  const time = Date.parse(timestamp ?? "");
  return new Date(Number.isNaN(time) ? 0 : time).toISOString();
}
