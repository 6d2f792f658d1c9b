import type { InstallState } from "@millrace/cni-install";
import type { Status, WorkloadStatus } from "../status/status-document.ts";
import { describeUnread } from "../status/unread.ts";
import { ATTEMPT } from "../status/workload-status.ts";
import type { Occurrence } from "./event-series.ts";
import { aboutNode, aboutPod } from "./regarding.ts";

/** Something that is wrong now and that a user has to know. */
export interface Trouble extends Occurrence {
  /** It is told once it has lasted so long, in milliseconds: what passes by itself is none. */
  readonly afterMs: number;
}

const PASSING_MS = 5_000;
const SLOW_MS = 60_000;

export interface TroubleFacts {
  readonly status: Status;
  /** Undefined where the agent does not install the CNI plugin, or has not looked yet. */
  readonly install: InstallState | undefined;
}

/** All that is wrong on this node, pod by pod and of the node itself. Pure. */
export function troublesOf({ status, install }: TroubleFacts): Trouble[] {
  return [...nodeTroubles(status, install), ...status.workloads.flatMap((workload) => podTroubles(workload, status))];
}

function nodeTroubles(status: Status, install: InstallState | undefined): Trouble[] {
  const regarding = aboutNode(status.agent.node);
  const troubles: Trouble[] = [];
  const shared = status.agent.problem ?? status.observation?.problems.join("; ");
  if (shared) troubles.push({ regarding, reason: "RedirectionUnavailable", note: shared, afterMs: PASSING_MS });
  else if (lacksProxy(status)) {
    const policy = status.agent.failurePolicy === "closed" ? "fail" : "pass unproxied";
    const because = status.problems.length === 0 ? "" : `: ${status.problems.join("; ")}`;
    const note = `new connections of this node's members ${policy}: no node proxy can be sent to${because}`;
    troubles.push({ regarding, reason: "NodeProxyMissing", note, afterMs: 2 * PASSING_MS });
  }
  const unread = status.unread === undefined ? undefined : describeUnread(status);
  if (unread !== undefined && status.agent.problem === undefined) {
    const note = `what redirects this node's pods is not known: ${unread}`;
    troubles.push({ regarding, reason: "KernelUnread", note, afterMs: PASSING_MS });
  }
  if (install !== undefined && install.state !== "installed") {
    const note = `the CNI plugin is not installed (${install.state}): ${install.detail}`;
    const afterMs = install.state === "waiting" ? SLOW_MS : PASSING_MS;
    troubles.push({ regarding, reason: "CniPluginNotInstalled", note, afterMs });
  }
  if (status.eventLog.state === "failing") {
    const note = `events cannot be written, redirection goes on: ${status.eventLog.reason ?? status.eventLog.path}`;
    troubles.push({ regarding, reason: "EventLogFailing", note, afterMs: PASSING_MS });
  }
  return troubles;
}

function lacksProxy({ workloads, proxies }: Status): boolean {
  const isCaptured = workloads.some(({ state }) => ["enrolled", "partial", "unseen"].includes(state));
  return isCaptured && !proxies.some(({ role }) => role === "active");
}

/** One at most. What the whole node lacks is told of the node, not of each of its pods. */
function podTroubles(workload: WorkloadStatus, { agent }: Status): Trouble[] {
  const { state, reason = "", problems } = workload;
  if (workload.name === "" || agent.problem !== undefined) return [];
  const regarding = aboutPod(workload);
  const words = [...new Set([reason.replace(ATTEMPT, ""), ...problems].filter((text) => text !== ""))].join("; ");
  if (state === "failed") {
    const kept = reason.startsWith("not removed");
    return [{ regarding, reason: kept ? "RemovalFailed" : "EnrolmentFailed", note: words, afterMs: 0 }];
  }
  if (state === "partial") return [{ regarding, reason: "PartlyRedirected", note: words, afterMs: PASSING_MS }];
  if (state === "pending") return [{ regarding, reason: "EnrolmentPending", note: words, afterMs: SLOW_MS }];
  return [];
}
