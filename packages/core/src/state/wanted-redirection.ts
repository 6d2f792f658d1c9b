import type { Workload } from "../backend/contract.ts";
import type { WantedRedirection } from "../backend/shadow.ts";
import { subjects } from "../events/subjects.ts";
import type { State } from "./state.ts";

/** Everything that was asked for of the backend that serves, in one: where it is placed in the middle of a switch left out. By uid. */
export function wantedRedirection({ requested }: State): WantedRedirection {
  const node = requested.get(subjects.node);
  const proxies = requested.get(subjects.proxies);
  const workloads: Workload[] = [];
  for (const each of requested.values()) {
    if (each.action !== "apply") continue;
    const { placement: _, ...workload } = each.spec;
    workloads.push(workload);
  }
  const { placement: _, ...chosen } = proxies?.action === "use-proxies" ? proxies.spec : { draining: [] };
  return {
    node: node?.action === "use-node" ? node.spec : { addresses: [] },
    proxies: chosen,
    workloads: workloads.sort((a, b) => (a.uid < b.uid ? -1 : 1)),
  };
}
