import { setTimeout as sleep } from "node:timers/promises";
import { ApiStatusError, type KubernetesApi } from "@millrace/watchers";
import { z } from "zod";
import { describeError } from "../logging/describe-error.ts";
import { placement, selectsNode } from "./selects-node.ts";

/** What follows the end of an agent: another one, which takes over all that is there, or none, so that everything has to go. */
export interface AgentFate {
  readonly successor: boolean;
  /** How that is known; or why it is not, and a successor is taken for granted. */
  readonly reason: string;
}

export interface FateOptions {
  readonly api: Pick<KubernetesApi, "get" | "tokenExpiresAt">;
  /** `namespace/name` of the agent's DaemonSet. */
  readonly daemonSet: string;
  /** Name of this node. */
  readonly node: string;
  /** The answer is needed by then: the kubelet kills what does not end within the grace period. */
  readonly signal: AbortSignal;
  /** Pause before a refusal is asked about again, in milliseconds. Default 1 s. */
  readonly pauseMs?: number;
}

/** A refusal stands when it is given so often: roles and account do not go in one moment. */
const ASKED = 5;

const deleted = { deletionTimestamp: z.string().optional() };
const daemonSetSchema = z.object({
  metadata: z.object(deleted),
  spec: z.object({ template: z.object({ spec: placement }) }),
});
const nodeSchema = z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()).default({}) }) });
const namespacesSchema = z.object({
  items: z.array(z.object({ metadata: z.object({ name: z.string(), ...deleted }) })),
});

const comes = (reason: string): AgentFate => ({ successor: true, reason });
const none = (reason: string): AgentFate => ({ successor: false, reason });

/**
 * Finds out whether a new agent comes to this node. Who says no must be sure, for members' traffic passes unproxied from then on; so whatever
 * is not known is a yes. Never rejects.
 *
 * `helm uninstall` deletes the DaemonSet, then what gives the agent its rights, last its account (helm, `UninstallOrder`), and only then
 * the kubelet tells the agent: its token is not valid any more (401), or says nothing (403 to everything: the API server goes on with an
 * account's token for some seconds). That is a no as well (so istio-cni has it: `ShouldStopCleanup` in `cni/pkg/nodeagent/server.go`).
 */
export async function agentFate(options: FateOptions): Promise<AgentFate> {
  try {
    return await decide(options);
  } catch (error) {
    return comes(`whether a new agent comes is not known: ${describeError(error).message}`);
  }
}

async function decide(options: FateOptions): Promise<AgentFate> {
  const { api, daemonSet, node, signal } = options;
  let found: z.output<typeof daemonSetSchema>;
  try {
    found = await readDaemonSet(options);
  } catch (error) {
    const status = statusOf(error);
    if (status === 404) return none(`the DaemonSet ${daemonSet} is gone`);
    if (status === 401) return accountIsGone(options);
    if (status === 403) return rightsAreGone(options);
    throw error;
  }
  if (found.metadata.deletionTimestamp !== undefined) return none(`the DaemonSet ${daemonSet} is being deleted`);
  if (await namespaceGoes(options)) return none(NAMESPACE_GOES);
  const { labels } = nodeSchema.parse(await api.get(`/api/v1/nodes/${node}`, `reading node ${node}`, signal)).metadata;
  return selectsNode(found.spec.template.spec, node, labels)
    ? comes(`the DaemonSet ${daemonSet} is there and wants this node`)
    : none(`the DaemonSet ${daemonSet} does not want this node any more`);
}

/** Asks again while it is refused. Rejects with the last refusal, or what else went wrong. */
async function readDaemonSet({ api, daemonSet, signal, pauseMs = 1_000 }: FateOptions) {
  const [namespace, name] = daemonSet.split("/");
  const path = `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`;
  for (let asked = 1; ; asked += 1) {
    try {
      return daemonSetSchema.parse(await api.get(path, `reading DaemonSet ${daemonSet}`, signal));
    } catch (error) {
      const refused = [401, 403].includes(statusOf(error) ?? 0);
      if (!refused || asked === ASKED) throw error;
    }
    await sleep(pauseMs, undefined, { signal });
  }
}

const NAMESPACE_GOES = "the agent's namespace is being deleted";

/**
 * A namespace that is deleted may take its pods away first and keep everything else until they have ended (KEP-5080), while no pod can be
 * made in it any more. The agent may list namespaces, not get one.
 */
async function namespaceGoes({ api, daemonSet, signal }: FateOptions): Promise<boolean> {
  const [namespace] = daemonSet.split("/");
  const path = `/api/v1/namespaces?fieldSelector=metadata.name%3D${namespace}`;
  const { items } = namespacesSchema.parse(await api.get(path, `reading namespace ${namespace}`, signal));
  return items.some(({ metadata }) => metadata.name === namespace && metadata.deletionTimestamp !== undefined);
}

/** A token that has run out is refused whether there is an account or not: the kubelet renews it only while it reaches the API server. */
async function accountIsGone({ api }: FateOptions): Promise<AgentFate> {
  const expiresAt = await api.tokenExpiresAt();
  return expiresAt !== undefined && expiresAt <= Date.now()
    ? comes("the agent's token has run out: whether a new agent comes is not known")
    : none("the agent's account is gone: its token is not valid any more");
}

/** A 403 about the DaemonSet alone is a mistake in one role; one about everything means that the roles went with the rest. */
async function rightsAreGone(options: FateOptions): Promise<AgentFate> {
  const { api, signal } = options;
  try {
    if (await namespaceGoes(options)) return none(NAMESPACE_GOES);
    return comes(
      "the agent may not read its own DaemonSet (a rule lacks in its role): whether a new one comes is not known",
    );
  } catch (error) {
    if (statusOf(error) === 401) return accountIsGone(options);
    if (statusOf(error) !== 403) throw error;
  }
  try {
    // Everybody may (ClusterRole system:public-info-viewer). An API server that started a moment ago knows no rule yet, and refuses it too.
    await api.get("/version", "reading the version", signal);
  } catch (error) {
    if (statusOf(error) === 401) return accountIsGone(options);
    throw error;
  }
  return none("the agent's rights are gone with its installation");
}

const statusOf = (error: unknown): number | undefined => (error instanceof ApiStatusError ? error.status : undefined);
