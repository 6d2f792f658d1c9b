import { TABLE } from "./rules.ts";

export const FAMILIES = [4, 6] as const;
export type Family = (typeof FAMILIES)[number];
const TYPE = { 4: "ipv4_addr", 6: "ipv6_addr" } as const;

export const familyOf = (address: string): Family => (address.includes(":") ? 6 : 4);

/** A set of connections: source, port, destination, port. */
export const connections = (name: string, n: Family) =>
  `add set netdev ${TABLE} ${name} { type ${TYPE[n]} . inet_service . ${TYPE[n]} . inet_service; size 65536; flags dynamic,timeout; timeout 24h; }`;

/** What chains name. Adding what is there already changes nothing. */
export const SETS: readonly string[] = [
  `add table netdev ${TABLE}`,
  `add table inet ${TABLE}`,
  `add counter netdev ${TABLE} dropped`,
  `add set inet ${TABLE} links { type ifname; }`,
  ...FAMILIES.flatMap((n) => [
    connections(`passed${n}`, n),
    `add set netdev ${TABLE} proxies${n} { type ${TYPE[n]}; }`,
    `add map netdev ${TABLE} dev${n} { typeof ${n === 4 ? "ip" : "ip6"} daddr : meta oif; }`,
    `add map netdev ${TABLE} mac${n} { type ${TYPE[n]} : ether_addr; }`,
    `add set inet ${TABLE} node${n} { type ${TYPE[n]}; }`,
  ]),
];

export const replaceElements = (family: string, set: string, elements: readonly string[]) => [
  `flush set ${family} ${TABLE} ${set}`,
  ...(elements.length === 0 ? [] : [`add element ${family} ${TABLE} ${set} { ${elements.join(", ")} }`]),
];
