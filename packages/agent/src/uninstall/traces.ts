import type { RedirectionBackend } from "@millrace/core";
import { routingTraces } from "@millrace/host";

const NODE = { fd: undefined, name: "node" } as const;

/**
 * Whether the node shows something of a backend, also where the journal that would tell is lost. Opening one to find out would make
 * what uninstalling cannot take back: empty tables of iptables. Of a backend that cannot tell nothing is known: it may.
 */
export async function hasTraces(name: string, { traces }: Pick<RedirectionBackend, "traces">): Promise<boolean> {
  // On the node only one backend has rules and routes; in proxies' namespaces all of them do.
  if (name === "iptables" && routingTraces(NODE).length > 0) return true;
  const found = await traces?.([NODE]);
  return found === undefined || found.some(({ elsewhere }) => !elsewhere);
}
