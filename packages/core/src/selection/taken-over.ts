import type { Observation } from "../backend/contract.ts";
import { wantedProxies } from "../decide/proxies.ts";
import { wantedWorkload } from "../decide/workload.ts";
import { subjects } from "../events/subjects.ts";
import { hasSynced, isApplied } from "../state/queries.ts";
import type { State } from "../state/state.ts";

/**
 * What the backend that serves has not taken over yet of another one's redirection, one phrase each; empty when removing the other
 * leaves no member uncaptured. `earlier` is what the other one still has in the kernel.
 *
 * Only what the other one redirects is waited for: a member it never had is nothing it could hold back.
 */
export function notTakenOver(state: State, earlier: Observation): string[] {
  if (!hasSynced(state)) return ["what is wanted is not known yet"];
  const waiting = proxiesApplied(state) ? [] : ["the node proxy is not in use yet"];
  for (const { uid } of earlier.workloads) {
    const wanted = wantedWorkload(state, uid);
    if (wanted.kind === "not-member" || (wanted.kind === "unknown" && wanted.final)) continue;
    const subject = subjects.workload(uid);
    if (state.requested.get(subject)?.action === "apply" && isApplied(state, subject)) continue;
    const pod = state.pods.get(uid);
    waiting.push(`workload ${pod === undefined ? uid : `${pod.namespace}/${pod.name}`} is not redirected yet`);
  }
  return waiting;
}

/** Without a proxy to use there is nothing to wait for: members are kept as `failurePolicy` says by whichever backend has them. */
function proxiesApplied(state: State): boolean {
  const { proxies, hold } = wantedProxies(state);
  if (hold) return false;
  return proxies.active === undefined || isApplied(state, subjects.proxies);
}
