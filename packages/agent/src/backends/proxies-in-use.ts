import type { Redirection } from "@millrace/core";
import type { EventData } from "@millrace/core/internal";

/**
 * What these redirections send to, the active proxies first, of two that have the same role that of the redirection that is named first. An agent that has
 * lost its log serves by one of them and takes over from the others: what drains in any of them drains.
 */
export async function proxiesInUse(
  redirections: readonly Pick<Redirection, "usedProxies">[],
): Promise<EventData["proxies.found"]["proxies"]> {
  const used = await Promise.all(redirections.map(async (redirection) => (await redirection.usedProxies?.()) ?? []));
  const all = used.flat().map((proxy) => ({ ...proxy, interface: { ...proxy.interface } }));
  return all.sort((a, b) => Number(b.role === "active") - Number(a.role === "active"));
}
