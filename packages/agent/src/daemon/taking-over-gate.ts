import { type State, subjects, workloadUid } from "@millrace/core/internal";
import type { RedirectionPart } from "./redirection-part.ts";

/**
 * Holds back members that an earlier run's backend still leads to a proxy, until the one that takes them over has a proxy to send to: before
 * that it could only refuse their connections. Everything else, above all a pod that nobody captures yet, is let by at once.
 */
export class TakingOverGate {
  readonly #redirection: RedirectionPart;
  readonly #held = new Set<string>();
  #isOpen = false;

  constructor(redirection: RedirectionPart) {
    this.#redirection = redirection;
  }

  /** Whether this subject has to wait. What waits is given by {@link passed} in the end. */
  holds(state: State, subject: string): boolean {
    const uid = workloadUid(subject);
    if (this.#isOpen || uid === undefined || state.requested.get(subject)?.action !== "apply") return false;
    const isServed = this.#redirection.earlierAll.some(
      ({ observation: { proxies, workloads } }) =>
        proxies.some(({ role }) => role === "active") && workloads.some((workload) => workload.uid === uid),
    );
    if (!isServed) return false;
    this.#held.add(subject);
    return true;
  }

  /** To be told that something was applied: the subjects that may go on because of it. */
  passed(state: State, applied: string): readonly string[] {
    const proxies = state.requested.get(subjects.proxies);
    if (applied !== subjects.proxies || proxies?.action !== "use-proxies" || proxies.spec.active === undefined)
      return [];
    this.#isOpen = true;
    const passed = [...this.#held];
    this.#held.clear();
    return passed;
  }
}
