import { describeProxyProblems, type State, subjects } from "@millrace/core/internal";
import type { PluginTrouble } from "../backends/plugin-troubles.ts";
import type { KernelView } from "./kernel-view.ts";
import { type ProxyStatus, STATUS_VERSION, type Status, type WatchStatus } from "./status-document.ts";
import { UNSEEN } from "./unread.ts";
import { workloadStatuses } from "./workload-status.ts";

/** All that a status is made of. */
export interface StatusSources {
  /** Now, RFC 3339. */
  readonly time: string;
  readonly state: State;
  readonly view: KernelView;
  readonly agent: Status["agent"];
  readonly plugins?: readonly PluginTrouble[];
  readonly earlier: Status["earlier"];
  readonly switch?: Status["switch"];
  readonly eventLog: Status["eventLog"];
}

/** Puts what is wanted beside what the kernel was last seen to hold. Pure. */
export function buildStatus(sources: StatusSources): Status {
  const { time, state, view, agent, earlier, eventLog } = sources;
  const { last, unread } = view;
  return {
    statusVersion: STATUS_VERSION,
    time,
    agent,
    plugins: [...(sources.plugins ?? [])],
    earlier,
    ...(sources.switch !== undefined && { switch: sources.switch }),
    ...(last !== undefined && {
      observation: {
        time: last.time,
        problems: [...last.observation.problems],
        nodeAddresses: [...last.observation.nodeAddresses],
      },
    }),
    ...(unread !== undefined && { unread: { ...unread } }),
    eventLog,
    problems: describeProxyProblems(state),
    workloads: workloadStatuses(state, view),
    proxies: proxyStatuses(state, view),
    watches: watchStatuses(state),
    counters: { ...last?.observation.counters },
    maps: { ...last?.observation.maps },
  };
}

function proxyStatuses(state: State, view: KernelView): ProxyStatus[] {
  const requested = state.requested.get(subjects.proxies);
  if (requested?.action !== "use-proxies") return [];
  const outcome = state.outcomes.get(subjects.proxies);
  const failed = outcome?.state === "failed" ? [`${outcome.error?.code}: ${outcome.error?.message}`] : [];
  // A reading from before the answer tells of the proxies that were sent to before.
  const isReadBack = outcome?.state !== "pending" && view.hasReadBack(subjects.proxies, outcome);
  const isUnread = view.unread !== undefined;
  const isSeen = isReadBack && !isUnread;
  const observed = new Map(isSeen ? view.last?.observation.proxies.map((proxy) => [proxy.key, proxy]) : []);
  const { active, draining } = requested.spec;
  const list = [
    ...(active === undefined ? [] : [{ proxy: active, role: "active" as const }]),
    ...draining.map((proxy) => ({ proxy, role: "draining" as const })),
  ];
  return list.map(({ proxy, role }) => {
    const found = observed.get(proxy.key);
    const otherRole = found !== undefined && found.role !== role ? [`the kernel has it as ${found.role}`] : [];
    const shadows = (found?.foreign ?? []).map(
      ({ kind, where, owner, effect }) => `${kind} of ${owner} at ${where} ${effect}`,
    );
    const unseen = isUnread ? [UNSEEN] : [];
    const problems = [...failed, ...unseen, ...otherRole, ...(found?.problems ?? []), ...shadows];
    return {
      uid: proxy.uid,
      key: proxy.key,
      namespace: proxy.namespace,
      name: proxy.name,
      addresses: [...proxy.addresses],
      role,
      state: found === undefined ? "unseen" : problems.length > 0 ? "partial" : found.state,
      problems,
    };
  });
}

function watchStatuses(state: State): WatchStatus[] {
  const names = new Set([...(state.agent?.config.watches ?? []), ...state.watches.keys()]);
  return [...names].sort().map((name) => {
    const watch = state.watches.get(name);
    if (watch === undefined) return { name, state: "waiting" };
    return { name, state: watch.state, since: watch.time, ...(watch.reason !== undefined && { reason: watch.reason }) };
  });
}
