import { errorCode, errorMessage } from "@millrace/core/internal";
import { type ConntrackEntry, conntrackEntries, deleteConntrack, type Family, markConntrack } from "linux-ts";
import { familyOf, type MemberEntry } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import type { Sending } from "./shared.ts";

const QUESTIONS = { protocol: 17, port: 53 } as const;

/** Addresses whose questions to nameservers are captured. */
export const dnsAddresses = (entries: readonly MemberEntry[]): string[] =>
  entries.flatMap(({ role, element }) => (role === "dns" ? [element] : []));

/**
 * Makes conntrack forget where the questions of these addresses went, but for those that go to the active proxy: it sends on
 * from the same port as before, for as long as somebody asks from there, without asking the rules.
 */
export function forgetQuestions(context: NodeContext, addresses: readonly string[], proxy?: readonly string[]): void {
  if (addresses.length === 0) return;
  const asking = new Set(addresses);
  for (const family of context.families) {
    if (!addresses.some((address) => familyOf(address) === family)) continue;
    for (const entry of entriesOf(context, family, QUESTIONS)) {
      if (asking.has(entry.original.source) && proxy?.includes(entry.reply.source) !== true)
        deleteConntrack(undefined, entry);
    }
  }
}

/** Addresses of the proxy that answers questions. */
export const answering = ({ slots, active }: Sending): readonly string[] =>
  (active === undefined ? undefined : slots.get(active)?.addresses) ?? [];

/** Takes our bits off all connections, once no rule of ours looks at them: another use of them, or another slot's proxy, finds them as they were. */
export function clearConnectionMarks(context: NodeContext): void {
  const mask = Number(context.layout.marks.mask);
  for (const family of context.families) {
    for (const entry of entriesOf(context, family)) {
      if ((entry.mark & mask) !== 0) markConntrack(undefined, entry, { mark: 0, mask });
    }
  }
}

/** Without nf_conntrack_netlink nobody can: what conntrack believes then ends by itself, when nothing is sent any more. */
function entriesOf({ log }: NodeContext, family: Family, to?: typeof QUESTIONS): ConntrackEntry[] {
  try {
    return conntrackEntries(undefined, { family, ...(to && { to }) });
  } catch (error) {
    log.warn(
      { family, code: errorCode(error), error: errorMessage(error) },
      "connections of conntrack cannot be listed (modprobe nf_conntrack_netlink): former ones are left as they are",
    );
    return [];
  }
}
