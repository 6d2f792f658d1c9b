import { isIPv6 } from "node:net";
import type { Flow, Redirection } from "@millrace/core";
import { describeWorkloads, lastPlacement, type State, subjects, type WorkloadStatus } from "@millrace/core/internal";
import { AgentError } from "../errors.ts";
import { describeError } from "../logging/describe-error.ts";
import type { ExplanationDocument } from "./explanation-document.ts";
import type { FlowQuery } from "./flow-query.ts";

export interface ExplainQuery {
  /** `namespace/name`, or a uid. */
  readonly pod: string;
  readonly flow?: FlowQuery | undefined;
}

/** What serves now; undefined while nothing is open. */
export interface Serving {
  /** The one that new members get. */
  readonly backend: string;
  /** The redirection of a backend; undefined where it is not open. */
  by(backend: string): Redirection | undefined;
}

/** Who has one workload. */
interface Having {
  readonly backend: string;
  readonly redirection: Redirection | undefined;
  /** Another one that has it as well, in the middle of a switch. */
  readonly other: string | undefined;
}

/**
 * Why a pod is redirected or not, by what the agent knows, and what becomes of a flow, by what the backend finds in the kernel. Throws
 * `ERR_POD_UNKNOWN`.
 */
export async function explainPod(
  state: State,
  serving: Serving | undefined,
  { pod, flow }: ExplainQuery,
): Promise<ExplanationDocument> {
  const known = describeWorkloads(state);
  const found = known.filter(({ uid, namespace, name }) => uid === pod || `${namespace}/${name}` === pod);
  // Of several by one name the last is the one that is: the others are on their way out.
  const workload = found.findLast(({ membership }) => membership === "member") ?? found.at(-1);
  if (workload === undefined) {
    throw new AgentError("ERR_POD_UNKNOWN", `the agent knows no pod ${pod} on this node`);
  }
  const { uid, namespace, name, addresses, membership, reason, requested, outcome } = workload;
  const having = serving && whoHas(state, serving, subjects.workload(uid));
  const failure = outcome?.error === undefined ? "" : `: ${outcome.error.code}: ${outcome.error.message}`;
  return {
    pod: { uid, namespace, name, addresses: [...addresses] },
    membership,
    ...(reason !== undefined && { reason }),
    ...(outcome !== undefined && { outcome: `${requested ?? "nothing"} ${outcome.state}${failure}` }),
    subjects: [...subjectsOf(workload), ...(state.switch === undefined ? [] : [subjects.switch])],
    ...(having !== undefined && { backend: having.backend }),
    ...(flow !== undefined && (await explainFlow(workload, flow, having))),
  };
}

function whoHas(state: State, serving: Serving, subject: string): Having {
  const { on: backend = serving.backend, joins, leaves } = lastPlacement(state, subject) ?? {};
  const hasLeft = state.outcomes.get(subject)?.state === "applied";
  return { backend, redirection: serving.by(backend), other: joins ?? (hasLeft ? undefined : leaves) };
}

function subjectsOf({ uid, namespace, interface: found }: WorkloadStatus): string[] {
  return [
    subjects.namespace(namespace),
    subjects.pod(uid),
    ...(found === undefined ? [] : [subjects.interface(found.containerId)]),
    subjects.workload(uid),
    subjects.proxies,
  ];
}

async function explainFlow(
  { uid, addresses }: WorkloadStatus,
  query: FlowQuery,
  having: Having | undefined,
): Promise<Pick<ExplanationDocument, "flow" | "explanation" | "unexplained">> {
  const family = isIPv6(query.peer) ? 6 : 4;
  const address = addresses.find((own) => isIPv6(own) === (family === 6));
  if (address === undefined) return { unexplained: `the pod has no IPv${family} address` };
  const flow: Flow = { ...query, uid, address };
  if (having?.redirection === undefined) {
    return { flow, unexplained: "no redirection is open: `millrace status` says why" };
  }
  const { backend, redirection, other } = having;
  if (redirection.explain === undefined) return { flow, unexplained: `backend ${backend} cannot explain itself` };
  try {
    const { fate, to, steps, problems } = await redirection.explain(flow);
    const both = other === undefined ? [] : [`${other} has the workload as well, in the middle of a switch`];
    return { flow, explanation: { fate, ...(to && { to }), steps: [...steps], problems: [...problems, ...both] } };
  } catch (error) {
    const { code = "ERR_UNEXPECTED", message } = describeError(error);
    return { flow, unexplained: `${code}: ${message}` };
  }
}
