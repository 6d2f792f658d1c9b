import type { ShadowCount } from "@millrace/core";
import type { WorkloadStatus } from "../status/status-document.ts";
import type { ShadowDocument, ShadowedDocument } from "./shadow-document.ts";

/** A counter of a backend, and what a shadow counts of the same. */
interface Comparable {
  readonly what: string;
  readonly counter: string;
  readonly of: (count: ShadowCount) => number;
}

/**
 * What can be compared. The programs of eBPF count packets, the rules of iptables what opens a connection. Of what is opened to members iptables
 * counts nothing: its rules for it see everybody's.
 */
const COMPARABLE: Readonly<Record<string, readonly Comparable[]>> = {
  ebpf: (["outbound", "inbound"] as const).map((direction) => ({
    what: `packets captured, ${direction}`,
    counter: `app_${direction}.captured`,
    of: (count) => (count.direction === direction && count.verdict === "captured" ? count.packets : 0),
  })),
  iptables: [
    {
      what: "connections captured, outbound",
      counter: "mangle.out.captured",
      of: ({ direction, verdict, connections }) =>
        direction === "outbound" && verdict === "captured" ? connections : 0,
    },
  ],
};

export type Counters = Readonly<Record<string, number>>;

/** `before` and `now`: the active backend's counters when the shadow began to count, and as they are. */
export function compareCounters(
  active: string,
  before: Counters,
  now: Counters,
  workloads: readonly Pick<ShadowedDocument, "counts">[],
): ShadowDocument["comparisons"] {
  const all = workloads.flatMap(({ counts = [] }) => counts);
  return (COMPARABLE[active] ?? []).map(({ what, counter, of }) => {
    const grown = (now[counter] ?? 0) - (before[counter] ?? 0);
    return {
      what,
      shadow: all.reduce((sum, count) => sum + of(count), 0),
      ...(grown >= 0 && { active: grown }),
      counter,
    };
  });
}

/** Members that one captures and the other does not, and connections that came past the one that serves. */
export function differencesOf(
  active: string,
  shadow: string,
  workloads: readonly ShadowedDocument[],
  statuses: ReadonlyMap<string, Pick<WorkloadStatus, "state" | "reason" | "problems">>,
): string[] {
  return workloads.flatMap((workload) => {
    const who = `${workload.namespace}/${workload.name}`;
    const { refused, partly, counts = [] } = workload;
    const status = statuses.get(workload.uid);
    const why = [status?.reason, ...(status?.problems ?? [])].filter((part) => part !== undefined).join("; ");
    const found: string[] = [];
    if (workload.isEnrolled && refused !== undefined) {
      found.push(`${who}: ${active} captures it, ${shadow} would not: ${refused.code}: ${refused.message}`);
    }
    if (workload.isEnrolled && partly !== undefined) {
      found.push(`${who}: ${active} captures it, ${shadow} would in part: ${partly.code}: ${partly.message}`);
    }
    if (!workload.isEnrolled && refused === undefined) {
      const state = status?.state ?? "not known";
      found.push(`${who}: ${shadow} would capture it, by ${active} it is ${state}${why === "" ? "" : `: ${why}`}`);
    }
    const past = counts.filter(({ direction, fate }) => direction === "inbound" && fate === "captured");
    const connections = past.reduce((sum, count) => sum + count.connections, 0);
    // Where eBPF serves its programs come behind the shadow's, so that these are what it captures.
    if (active !== "ebpf" && connections > 0) {
      found.push(`${who}: ${connections} connections came to it past the proxy, which ${shadow} would capture`);
    }
    return found;
  });
}
