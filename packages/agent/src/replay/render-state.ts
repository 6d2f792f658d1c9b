import {
  describeProxyProblems,
  describeWorkloads,
  nodeAddresses,
  requestedProxies,
  type State,
  type WorkloadStatus,
  wantedProxies,
} from "@millrace/core/internal";
import type { Palette } from "../cli/colour.ts";
import { type Column, table } from "../cli/table.ts";

const WORKLOADS: readonly Column[] = [
  { title: "POD" },
  { title: "UID" },
  { title: "ADDRESSES" },
  { title: "WANTED" },
  { title: "OUTCOME" },
  { title: "REASON" },
];

/** What the agent knew, wanted and had been told at one point of its log, for people. `pod`: only those that it fits. */
export function renderState(state: State, palette: Palette, pod?: (workload: WorkloadStatus) => boolean): string {
  const workloads = describeWorkloads(state).filter((workload) => pod?.(workload) ?? true);
  const parts = [
    palette.bold(`state after event ${state.seq}`),
    agentLine(state),
    ...(pod === undefined ? nodeLines(state) : []),
    table(WORKLOADS, workloads.map(workloadRow)).trimEnd(),
  ];
  return `${parts.filter((part) => part !== "").join("\n")}\n`;
}

function agentLine({ agent, backend }: State): string {
  if (agent === undefined) return "no agent has started";
  const stopped = agent.stopped === undefined ? "" : `, stopped ${agent.stopped.time} (${agent.stopped.reason})`;
  return `agent ${agent.version} on ${agent.node} since ${agent.startedAt}${stopped}, backend ${backend?.backend ?? "not chosen"}`;
}

function nodeLines(state: State): string[] {
  const active = wantedProxies(state).proxies.active;
  const draining = requestedProxies(state).filter(({ key }) => key !== active?.key);
  return [
    `node addresses ${nodeAddresses(state).join(",") || "none"}`,
    `namespaces ${[...state.namespaces.keys()].sort().join(",") || "none"}`,
    ...[...state.watches]
      .sort()
      .map(
        ([name, { state: how, reason, time }]) =>
          `watch ${name} ${how} since ${time}${reason === undefined ? "" : `: ${reason}`}`,
      ),
    ...switchLines(state),
    `node proxy ${active === undefined ? "none" : `${active.namespace}/${active.name}`}${draining.length === 0 ? "" : `, draining ${draining.map(({ namespace, name }) => `${namespace}/${name}`).join(",")}`}`,
    ...describeProxyProblems(state),
  ];
}

function switchLines({ switch: current, switched }: State): string[] {
  const { failure } = current ?? switched ?? {};
  const why = failure === undefined ? [] : [`${failure.subject}: ${failure.code}: ${failure.message}`];
  if (current === undefined) return why.map((reason) => `last switch given up: ${reason}`);
  const { home, away, everything, uids, time, reason } = current;
  const what = everything ? "everything" : uids.length === 0 ? "nothing any more" : uids.join(",");
  return [
    `switch from ${home} to ${away} of ${what} since ${time}: ${reason}`,
    ...why.map((text) => `turned because of ${text}`),
  ];
}

function workloadRow({
  uid,
  namespace,
  name,
  addresses,
  requested,
  outcome,
  membership,
  reason,
  problems,
  carried,
}: WorkloadStatus): string[] {
  const why = [
    reason,
    outcome?.error && `${outcome.error.code}: ${outcome.error.message}`,
    carried && "from the run before",
    ...problems,
  ];
  return [
    `${namespace}/${name}`,
    uid,
    addresses.join(","),
    requested ?? (membership === "member" ? "apply" : membership.replace("-", " ")),
    outcome === undefined ? "-" : `${outcome.state}${outcome.attempt > 1 ? ` (attempt ${outcome.attempt})` : ""}`,
    why.filter((part) => typeof part === "string").join("; "),
  ];
}
