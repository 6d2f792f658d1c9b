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
  readonly api: Pick<KubernetesApi, "get">;
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

const daemonSetSchema = z.object({
  metadata: z.object({ deletionTimestamp: z.string().optional() }),
  spec: z.object({ template: z.object({ spec: placement }) }),
});
const nodeSchema = z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()).default({}) }) });

/**
 * Finds out whether a new agent comes to this node. Who says no must be sure, for members' traffic passes unproxied from then on; so whatever
 * is not known is a yes. Never rejects.
 *
 * `helm uninstall` deletes the DaemonSet, then what gives the agent its rights, and only then the kubelet tells the agent: its token is
 * not valid any more (401), or says nothing (403 to everything). That is a no as well (so istio-cni has it, `cni/pkg/repair`).
 */
export async function agentFate(options: FateOptions): Promise<AgentFate> {
  const { daemonSet, signal, pauseMs = 1_000 } = options;
  for (let asked = 1; ; asked += 1) {
    try {
      return await askDaemonSet(options);
    } catch (error) {
      const status = error instanceof ApiStatusError ? error.status : undefined;
      if (status === 404) return { successor: false, reason: `the DaemonSet ${daemonSet} is gone` };
      const refused = status === 401 || status === 403;
      if (refused && asked === ASKED) return rightsAreGone(options, status);
      if (!refused || signal.aborted) return unknown(error);
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined); // the next try says why it was too late
  }
}

const unknown = (error: unknown): AgentFate => ({
  successor: true,
  reason: `whether a new agent comes is not known: ${describeError(error).message}`,
});

async function askDaemonSet({ api, daemonSet, node, signal }: FateOptions): Promise<AgentFate> {
  const [namespace, name] = daemonSet.split("/");
  const path = `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`;
  const { metadata, spec } = daemonSetSchema.parse(await api.get(path, `reading DaemonSet ${daemonSet}`, signal));
  if (metadata.deletionTimestamp !== undefined) {
    return { successor: false, reason: `the DaemonSet ${daemonSet} is being deleted` };
  }
  const { labels } = nodeSchema.parse(await api.get(`/api/v1/nodes/${node}`, `reading node ${node}`, signal)).metadata;
  return selectsNode(spec.template.spec, node, labels)
    ? { successor: true, reason: `the DaemonSet ${daemonSet} is there and wants this node` }
    : { successor: false, reason: `the DaemonSet ${daemonSet} does not want this node any more` };
}

/** A 403 about the DaemonSet alone is a mistake in one role; one about everything means that the roles went with the rest. */
async function rightsAreGone({ api, node, signal }: FateOptions, status: number): Promise<AgentFate> {
  if (status === 401)
    return { successor: false, reason: "the agent's account is gone: its token is not valid any more" };
  try {
    await api.get(`/api/v1/pods?fieldSelector=spec.nodeName%3D${node}&limit=1`, "listing one pod", signal);
    return {
      successor: true,
      reason:
        "the agent may not read its own DaemonSet (a rule lacks in its role): whether a new one comes is not known",
    };
  } catch (error) {
    const gone = error instanceof ApiStatusError && (error.status === 401 || error.status === 403);
    return gone ? { successor: false, reason: "the agent's rights are gone with its installation" } : unknown(error);
  }
}
