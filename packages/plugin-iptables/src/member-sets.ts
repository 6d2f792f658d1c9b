import { ipsetNames, ipsetRestore } from "./commands/ipset.ts";
import { createList, ensurePart, LIST_TYPE, MAX_PARTS, PART_TYPE, partsOf } from "./interface-sets.ts";
import {
  answeredSet,
  FAMILIES,
  interfaceSet,
  isKeptSet,
  isNetworkSet,
  keptSets,
  networkSet,
  type SetRole,
  setsOf,
} from "./layout.ts";
import { MAX_SLOTS } from "./marks.ts";
import type { MemberEntries } from "./members.ts";
import type { NodeContext } from "./node-context.ts";
import type { ExcludedNetwork } from "./rules/host-input.ts";

export type AddressRole = Exclude<SetRole, "iface">;

const TYPES: Readonly<Record<AddressRole, string>> = {
  from: "hash:net,iface",
  to: "hash:ip",
  settling: "hash:ip",
  dns: "hash:ip",
  outboundPorts: "hash:ip,port",
  inboundPorts: "hash:ip,port",
};
/** Of sets that hold addresses, with or without more. */
export const ROLES = Object.keys(TYPES) as AddressRole[];

/**
 * Seconds in which a proxy's first answer has to be followed by more: as long as a SYN-ACK is tried again (tcp_synack_retries 5,
 * Documentation/networking/ip-sysctl.rst).
 */
const ANSWERED_SECONDS = 63;
const MAX_ANSWERED = 65_536;
const ANSWERED_TYPE = "hash:ip,port,ip";
const KEPT_TYPE = "hash:ip,port,ip";
const MAX_KEPT = 65_536;
const isAnsweredSet = (name: string): boolean => /^millrace-answered[46]-\d+$/.test(name);

/** Every set of ours by name, with its type. */
export const SET_TYPES: Readonly<Record<string, string>> = Object.fromEntries(
  FAMILIES.flatMap((family) => [
    ...ROLES.map((role) => [setsOf(family)[role], TYPES[role]]),
    [setsOf(family).iface, LIST_TYPE],
    ...Array.from({ length: MAX_PARTS }, (_, part) => [interfaceSet(family, part), PART_TYPE]),
    ...Array.from({ length: MAX_SLOTS }, (_, slot) => [answeredSet(family, slot), ANSWERED_TYPE]),
    ...Array.from({ length: MAX_SLOTS }, (_, slot) => Object.values(keptSets(family, slot))).flatMap((names) =>
      names.map((name) => [name, KEPT_TYPE]),
    ),
  ]),
);

const NETWORK_TYPE = "hash:ip";

/** Makes the sets that rules name. A set that is there is left as it is. */
export async function ensureSets(
  { families, config, signal }: NodeContext,
  slots: readonly number[],
  { names, unlisted }: MemberEntries,
): Promise<void> {
  const wanted = families.flatMap((family) => {
    const inet = family === 4 ? "inet" : "inet6";
    return [
      ...ROLES.map((role) => {
        const options = `${role === "settling" ? "timeout 0 " : ""}comment`;
        const name = setsOf(family)[role];
        return { name, line: `create ${name} ${TYPES[role]} family ${inet} maxelem ${config.maxMembers} ${options}` };
      }),
      { name: setsOf(family).iface, line: createList(family) },
      ...slots.map((slot) => {
        const name = answeredSet(family, slot);
        const options = `maxelem ${MAX_ANSWERED} timeout ${ANSWERED_SECONDS}`;
        return { name, line: `create ${name} ${ANSWERED_TYPE} family ${inet} ${options}` };
      }),
      ...slots
        .flatMap((slot) => Object.values(keptSets(family, slot)))
        .map((name) => ({ name, line: `create ${name} ${KEPT_TYPE} family ${inet} maxelem ${MAX_KEPT}` })),
    ];
  });
  const missing = wanted.filter(({ name }) => !names.has(name));
  const lists = families.flatMap((family) => (unlisted.get(family) ?? []).flatMap((part) => ensurePart(family, part)));
  await ipsetRestore([...missing.map(({ line }) => line), ...lists].join("\n"), { signal });
}

/** Makes the sets of networks, before rules name them. */
export async function ensureNetworkSets(
  { config, signal }: Pick<NodeContext, "config" | "signal">,
  networks: readonly ExcludedNetwork[],
): Promise<void> {
  const lines = networks.map(({ family, direction, cidr }) => {
    const options = `family ${family === 4 ? "inet" : "inet6"} hashsize 64 maxelem ${config.maxMembers} comment`;
    return `create ${networkSet(family, direction, cidr)} ${NETWORK_TYPE} ${options}`;
  });
  await ipsetRestore(lines.join("\n"), { signal });
}

/** Removes the sets of networks that nobody excludes any more and rules do not name. */
export async function sweepNetworkSets({ signal }: Pick<NodeContext, "signal">, entries: MemberEntries): Promise<void> {
  const used = new Set(entries.networks().map(({ family, direction, cidr }) => networkSet(family, direction, cidr)));
  const stale = [...entries.names].filter((name) => isNetworkSet(name) && !used.has(name));
  await ipsetRestore(stale.map((name) => `destroy ${name}`).join("\n"), { signal });
}

/** Removes the sets of slots that rules do not name any more. */
export async function sweepSets(
  { families, signal }: NodeContext,
  slots: readonly number[],
  { names }: MemberEntries,
): Promise<void> {
  const used = new Set<string>(
    families.flatMap((family) =>
      slots.flatMap((slot) => [answeredSet(family, slot), ...Object.values(keptSets(family, slot))]),
    ),
  );
  const stale = [...names].filter((name) => (isAnsweredSet(name) || isKeptSet(name)) && !used.has(name));
  await ipsetRestore(stale.map((name) => `destroy ${name}`).join("\n"), { signal });
}

/** Destroys all sets of ours but these. */
export async function destroySets({ families, signal }: NodeContext, kept: readonly string[] = []): Promise<void> {
  const names = new Set(await ipsetNames({ signal }));
  // A set that is in a list cannot be destroyed.
  const ours = families.flatMap((family) => [
    ...Object.values<string>(setsOf(family)).filter((name) => names.has(name)),
    ...partsOf(names, family).map((part) => interfaceSet(family, part)),
  ]);
  const others = [...names].filter((name) => isAnsweredSet(name) || isKeptSet(name) || isNetworkSet(name));
  const doomed = [...ours, ...others].filter((name) => !kept.includes(name));
  await ipsetRestore(doomed.map((name) => `destroy ${name}`).join("\n"), { signal });
}
