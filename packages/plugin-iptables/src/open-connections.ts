import type { Workload } from "@millrace/core";
import { type OpenConnection, openConnections, requireNetns, translatedConnections } from "@millrace/host";
import { type Family, tcpSockets } from "linux-ts";
import { ipsetRestore, ipsetSave } from "./commands/ipset.ts";
import type { SavedRules } from "./commands/parse-iptables-save.ts";
import { FAMILIES, isKeptSet, isZoneSet, keptSets, type Layout } from "./layout.ts";
import { familyOf } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import type { SlotIdentity } from "./notes.ts";
import { netnsOf } from "./proxy-slots.ts";

/** An element of `hash:ip,port,ip`. */
const elementOf = (address: string, port: number, other: string): string => `${address},tcp:${port},${other}`;

/** Slots whose zone rule is not there yet, in the rules of one family as they were printed. */
export function slotsWithoutZone({ tables }: SavedRules, { zone }: Layout, slots: Iterable<number>): number[] {
  const rules = [...(tables.get("raw")?.values() ?? [])].flatMap((chain) => chain.rules);
  // What members send has a zone too, where it could be mistaken for what the proxy has without one.
  const isProxys = (text: string) => text.includes("! --match-set") || !text.includes("--match-set");
  const hasZone = (slot: number) =>
    rules.some(({ text }) => text.trimEnd().endsWith(`--zone-orig ${zone(slot)}`) && isProxys(text));
  return [...slots].filter((slot) => !hasZone(slot));
}

/** Notes what these proxies have open in others' names, in one family, as being without a zone. */
export async function notePlain(
  { signal }: Pick<NodeContext, "signal">,
  slots: ReadonlyMap<number, SlotIdentity>,
  { family, noting }: { readonly family: Family; readonly noting: readonly number[] },
): Promise<void> {
  const lines: string[] = [];
  for (const slot of noting) {
    const identity = slots.get(slot);
    if (identity === undefined) continue;
    using netns = netnsOf(identity);
    if (netns === undefined) continue;
    for (const { local, localPort, remote } of openConnections(netns)) {
      if (familyOf(local) !== family || identity.addresses.includes(local)) continue;
      lines.push(`add ${keptSets(family, slot).plain} ${elementOf(local, localPort, remote)}`);
    }
  }
  await ipsetRestore(lines.join("\n"), { signal });
}

/**
 * Notes what this member and the proxies have open with each other. Who dialled tells the member's namespace: where it listens it
 * was called.
 */
export async function keepOpen(
  { signal, families }: NodeContext,
  slots: ReadonlyMap<number, SlotIdentity>,
  workload: Workload,
): Promise<number> {
  const own = new Set(workload.addresses);
  // The sockets first: what conntrack translates of these it has by then. The other way round one that begins in between would be kept from conntrack.
  const open = openOf(slots);
  const translated = translatedTuples(slots, families);
  const called = listeningPorts(workload);
  const lines: string[] = [];
  for (const [slot, identity] of slots) {
    for (const { local, localPort, remote, remotePort } of open.get(slot) ?? []) {
      const family = familyOf(remote);
      if (!own.has(remote) || !families.includes(family) || identity.addresses.includes(local)) continue;
      // It began here, and conntrack is needed for it.
      if (translated.has(`${local} ${localPort} ${remote} ${remotePort}`)) continue;
      const sets = keptSets(family, slot);
      lines.push(
        called.has(remotePort)
          ? `add ${sets.in} ${elementOf(local, localPort, remote)}`
          : `add ${sets.out} ${elementOf(remote, remotePort, local)}`,
      );
    }
  }
  await ipsetRestore(lines.join("\n"), { signal });
  return lines.length;
}

/** By slot, of those whose proxy is there. */
function openOf(slots: ReadonlyMap<number, SlotIdentity>): ReadonlyMap<number, readonly OpenConnection[]> {
  const open = new Map<number, readonly OpenConnection[]>();
  for (const [slot, identity] of slots) {
    using netns = netnsOf(identity);
    if (netns !== undefined) open.set(slot, openConnections(netns));
  }
  return open;
}

function translatedTuples(slots: ReadonlyMap<number, SlotIdentity>, families: readonly Family[]): ReadonlySet<string> {
  using opened = new DisposableStack();
  const proxies = [...slots.values()].flatMap((identity) => netnsOf(identity) ?? []).map((netns) => opened.use(netns));
  return new Set(
    translatedConnections(proxies, families).taken.map(
      ({ reply: { source, sourcePort, destination, destinationPort } }) =>
        `${source} ${sourcePort} ${destination} ${destinationPort}`,
    ),
  );
}

/** Forgets what is over, and what these addresses had. Their packets are told by other rules then, as those of any connection. */
export async function forgetKept(
  { signal }: Pick<NodeContext, "signal">,
  slots: ReadonlyMap<number, SlotIdentity>,
  left: readonly string[] = [],
): Promise<void> {
  const kept = [...(await ipsetSave({ signal }))].flatMap(([name, { entries }]) =>
    isKeptSet(name) && !isZoneSet(name) ? entries.map((entry) => ({ name, element: entry.element })) : [],
  );
  if (kept.length === 0) return;
  const open = new Set<string>();
  for (const [slot, identity] of slots) {
    using netns = netnsOf(identity);
    if (netns === undefined) continue;
    for (const { local, localPort, remote, remotePort } of openConnections(netns)) {
      const sets = keptSets(familyOf(remote), slot);
      open.add(`${sets.in} ${elementOf(local, localPort, remote)}`);
      open.add(`${sets.out} ${elementOf(remote, remotePort, local)}`);
    }
  }
  const isOver = ({ name, element }: (typeof kept)[number]): boolean =>
    !open.has(`${name} ${element}`) || element.split(",").some((part) => left.includes(part));
  await ipsetRestore(
    kept
      .filter(isOver)
      .map(({ name, element }) => `del ${name} ${element}`)
      .join("\n"),
    { signal },
  );
}

/** Sets that stay as long as these slots' zones do. */
export const setsOfZones = (slots: Iterable<number>): string[] =>
  [...slots].flatMap((slot) => FAMILIES.map((family: Family) => keptSets(family, slot).plain));

function listeningPorts(workload: Workload): ReadonlySet<number> {
  using netns = requireNetns(workload.interface);
  return new Set(tcpSockets(netns.fd, { states: ["listen"] }).map(({ sourcePort }) => sourcePort));
}
