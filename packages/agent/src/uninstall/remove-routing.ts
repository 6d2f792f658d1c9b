import { describeTrace } from "@millrace/core/internal";
import { removeRoutingTraces } from "@millrace/host";
import { NodeNamespaces } from "../kernel/node-namespaces.ts";
import type { Ledger } from "./removal.ts";

/**
 * Rules and routes with our protocol in the node's namespaces, that no backend has removed: whoever knew in which they were is lost. Only when
 * every backend has done its part: until then they may be in use.
 */
export async function removeRouting(ledger: Ledger): Promise<void> {
  if (ledger.left.length > 0) return;
  using namespaces = await NodeNamespaces.open();
  for (const namespace of namespaces.all) {
    ledger.attempt(`rules and routes of ${namespace.name}`, () => {
      ledger.removed.push(...removeRoutingTraces(namespace).map(describeTrace));
    });
  }
}
