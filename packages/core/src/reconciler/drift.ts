import type { Observation, Proxies, ProxyObservation, WorkloadObservation } from "../backend/contract.ts";
import { wantedProxies } from "../decide/proxies.ts";
import { wantedWorkload } from "../decide/workload.ts";
import { byCodeUnit, sortedUnique } from "../events/address.ts";
import { subjects } from "../events/subjects.ts";
import { hasSynced, isApplied } from "../state/queries.ts";
import type { Requested, State } from "../state/state.ts";

/**
 * Where the kernel differs from what was applied, by subject, problems sorted. Only what this run asked for and the backend confirmed is
 * compared; the rest is under way. What nobody asked for counts as drift once it is certain that nobody wants it. A foreign object that
 * shadows ours is no drift: it is shown, not fought.
 */
export function findDrift(state: State, observation: Observation): ReadonlyMap<string, readonly string[]> {
  const drift = new Map<string, readonly string[]>();
  const note = (subject: string, problems: readonly string[]) => {
    if (problems.length > 0) drift.set(subject, sortedUnique(problems));
  };
  const observed = new Map(observation.workloads.map((workload) => [workload.uid, workload]));
  for (const [subject, requested] of state.requested) {
    if (!isApplied(state, subject)) continue;
    if (requested.action === "apply") {
      const { uid } = requested.spec;
      note(subject, workloadDrift(state, uid, observed.get(uid)));
    }
    if (requested.action === "use-proxies") {
      note(subject, [...proxyProblems(requested.spec, observation.proxies), ...observation.problems]);
    }
    if (requested.action === "use-node")
      note(subject, listProblem("node addresses", requested.spec.addresses, observation.nodeAddresses));
  }
  for (const workload of observation.workloads) {
    const subject = subjects.workload(workload.uid);
    if (!state.requested.has(subject)) note(subject, workloadDrift(state, workload.uid, workload));
  }
  if (!state.requested.has(subjects.proxies)) note(subjects.proxies, beforeTheFirstProxy(state, observation));
  return new Map([...drift].sort(([a], [b]) => byCodeUnit(a, b)));
}

/** Where the kernel differs from what was applied for one workload. */
export function workloadDrift(state: State, uid: string, observed: WorkloadObservation | undefined): readonly string[] {
  const subject = subjects.workload(uid);
  const requested = state.requested.get(subject);
  if (requested === undefined) return observed === undefined ? [] : leftover(state, uid);
  if (requested.action !== "apply" || !isApplied(state, subject)) return [];
  return sortedUnique(workloadProblems(requested.spec, observed));
}

type Spec<Action extends Requested["action"]> = Extract<Requested, { action: Action }>["spec"];

function workloadProblems(wanted: Spec<"apply">, observed: WorkloadObservation | undefined): string[] {
  if (observed === undefined) return ["redirection is missing"];
  const problems = [...observed.problems, ...listProblem("addresses", wanted.addresses, observed.addresses)];
  if (observed.hostIndex !== wanted.interface.hostIndex) {
    problems.push(`redirection is on interface ${observed.hostIndex} instead of ${wanted.interface.hostIndex}`);
  }
  return problems;
}

/** Where the proxies that a backend has differ from those that it was to use. */
export function proxyProblems(wanted: Proxies, observed: readonly ProxyObservation[]): string[] {
  const roles = new Map<string, "active" | "draining">(wanted.draining.map(({ key }) => [key, "draining"]));
  if (wanted.active !== undefined) roles.set(wanted.active.key, "active");
  const problems: string[] = [];
  for (const [key, role] of roles) {
    const found = observed.find((proxy) => proxy.key === key);
    if (found === undefined) problems.push(`${role} proxy ${key} is missing`);
    else if (found.role !== role) problems.push(`proxy ${key} is ${found.role} instead of ${role}`);
    problems.push(...(found?.problems ?? []).map((problem) => `proxy ${key}: ${problem}`));
  }
  for (const { key } of observed) if (!roles.has(key)) problems.push(`proxy ${key} is not wanted`);
  return problems;
}

/** A redirection that an earlier run left behind. A member that is not asked for yet is not one: its turn comes. */
function leftover(state: State, uid: string): string[] {
  if (!hasSynced(state)) return [];
  const wanted = wantedWorkload(state, uid);
  const certain = wanted.kind === "not-member" || (wanted.kind === "unknown" && wanted.final);
  return certain ? [`redirection is not wanted: ${wanted.reason}`] : [];
}

/** Members fail closed until there is a proxy, by what all of them share: that has to stand before anybody asks for proxies. */
function beforeTheFirstProxy(state: State, { proxies, problems }: Observation): string[] {
  return hasSynced(state) ? [...leftoverProxies(state, proxies), ...problems] : [];
}

function leftoverProxies(state: State, observed: readonly ProxyObservation[]): string[] {
  const { proxies, problems } = wantedProxies(state);
  if (proxies.active !== undefined || problems.length > 0) return [];
  return observed.map(({ key }) => `proxy ${key} is not wanted`);
}

/** Where a list differs from what it was to be, whatever its order. */
export function listProblem(what: string, wanted: readonly string[], observed: readonly string[]): string[] {
  const list = (items: readonly string[]) => sortedUnique(items).join(", ") || "none";
  return list(wanted) === list(observed) ? [] : [`${what} are ${list(observed)} instead of ${list(wanted)}`];
}
