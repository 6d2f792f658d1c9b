import { z } from "zod";
import { type BridgeSet, memberChain, slotChain } from "./bridge-table.ts";
import { IptablesError } from "./errors.ts";
import { NFT_TABLE } from "./layout.ts";

/** Whose port it is. `former`: a member's that was removed; connections that the proxy has go on by it. */
export type PortRole =
  | { readonly kind: "member"; readonly dns: boolean }
  | { readonly kind: "proxy"; readonly slot: number }
  | { readonly kind: "former" };

/** A port of a bridge, as the table has it. */
export interface BridgePort {
  /** Name and index of the interface. */
  readonly name: string;
  readonly index: number;
  /** Ethernet address of the pod behind it. */
  readonly mac: string;
  /** Ethernet address of the bridge. */
  readonly bridgeMac: string;
  /** Uid of a workload, or key of a proxy's network namespace. */
  readonly owner: string;
  readonly role: PortRole;
}

/** By name: a bridge has one port of a name. */
export type BridgePorts = ReadonlyMap<string, BridgePort>;

/** Elements of the table's sets by set and key, each as nft(8) takes it. */
export type Elements = ReadonlyMap<string, { readonly set: string; readonly key: string; readonly text: string }>;

/** Lines for nft(8) that make `present` be `wanted`. */
export function elementLines(present: Elements, wanted: Elements): string[] {
  const line = (verb: string, set: string, text: string) => `${verb} element bridge ${NFT_TABLE} ${set} { ${text} }`;
  const isSame = (id: string): boolean => present.get(id)?.text === wanted.get(id)?.text;
  return [
    ...[...present].filter(([id]) => !isSame(id)).map(([, { set, key }]) => line("delete", set, key)),
    ...[...wanted].filter(([id]) => !isSame(id)).map(([, { set, text }]) => line("add", set, text)),
  ];
}

export function elementsOf(ports: BridgePorts): Elements {
  const all = [...ports.values()].flatMap(({ name, index, mac, bridgeMac, owner, role }) => {
    const port = `"${name}"`;
    const chain = role.kind === "member" ? memberChain : role.kind === "proxy" ? slotChain(role.slot) : undefined;
    return [
      element("gateways", port, { comment: `${owner} ${index} ${mac}`, data: bridgeMac }),
      element("macs", mac, { data: bridgeMac }),
      element("bridges", bridgeMac),
      ...(chain === undefined ? [] : [element("roles", port, { data: `goto ${chain}` })]),
      ...(role.kind === "member" ? [element("members", port)] : []),
      ...(role.kind === "member" && role.dns ? [element("dns", port)] : []),
      ...(role.kind === "proxy" ? [element("proxies", port)] : []),
    ];
  });
  return new Map(all);
}

function element(
  set: BridgeSet,
  key: string,
  { comment, data }: { readonly comment?: string | undefined; readonly data?: string | undefined } = {},
) {
  const text = [key, comment === undefined ? "" : ` comment "${comment}"`, data === undefined ? "" : ` : ${data}`].join(
    "",
  );
  return [`${set} ${key}`, { set, key, text }] as const;
}

const keySchema = z.union([
  z.string(),
  z.object({ elem: z.object({ val: z.string(), comment: z.string().optional() }) }),
]);
const dataSchema = z.union([z.string(), z.object({ goto: z.object({ target: z.string() }) })]);
const elementSchema = z.union([z.tuple([keySchema, dataSchema]), keySchema]);
const setSchema = z.object({ name: z.string(), elem: z.array(elementSchema).default([]) });
const listingSchema = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) });

/** What `nft -j list table` told. */
export interface TableListing {
  readonly elements: Elements;
  readonly ports: BridgePorts;
  /** All but the elements, one line each, without what the kernel gives out by itself. */
  readonly skeleton: readonly string[];
}

export const NO_TABLE: TableListing = { elements: new Map(), ports: new Map(), skeleton: [] };

export function parseBridgeTable(text: string): TableListing {
  const { data, error } = listingSchema.safeParse(JSON.parse(text));
  if (data === undefined) {
    throw new IptablesError(
      "ERR_OUTPUT_UNREADABLE",
      `nft -j list table bridge ${NFT_TABLE}: something other than libnftables-json(5) says`,
      { cause: error },
    );
  }
  const items = data.nftables.filter((item) => !("metainfo" in item));
  const sets = items.flatMap((item) => setSchema.safeParse(item.set ?? item.map).data ?? []);
  const flat = sets.flatMap(({ name, elem }) => elem.map((each) => ({ set: name as BridgeSet, ...flatten(each) })));
  return {
    elements: new Map(flat.map(({ set, key, ...rest }) => element(set, quoted(set, key), rest))),
    ports: portsOf(flat),
    skeleton: items.map(withoutVolatile),
  };
}

interface FlatElement {
  readonly set: BridgeSet;
  readonly key: string;
  readonly comment: string | undefined;
  readonly data: string | undefined;
}

function flatten(element: z.output<typeof elementSchema>): Omit<FlatElement, "set"> {
  const [key, data] = Array.isArray(element) ? element : [element, undefined];
  const { val, comment } = typeof key === "string" ? { val: key, comment: undefined } : key.elem;
  return { key: val, comment, data: typeof data === "object" ? `goto ${data.goto.target}` : data };
}

/** Names of interfaces are quoted, Ethernet addresses are not. */
const quoted = (set: BridgeSet, key: string): string => (set === "macs" || set === "bridges" ? key : `"${key}"`);

function portsOf(all: readonly FlatElement[]): BridgePorts {
  const find = (set: BridgeSet, key: string) => all.find((each) => each.set === set && each.key === key);
  const ports = all.flatMap(({ set, key: name, comment, data: bridgeMac }): BridgePort[] => {
    const [, owner, index, mac] = /^(\S+) (\d+) (\S+)$/.exec(comment ?? "") ?? [];
    if (set !== "gateways" || owner === undefined || mac === undefined || bridgeMac === undefined) return [];
    const role = roleOf(find("roles", name)?.data, find("dns", name) !== undefined);
    return [{ name, index: Number(index), mac, bridgeMac, owner, role }];
  });
  return new Map(ports.map((port) => [port.name, port]));
}

function roleOf(verdict: string | undefined, dns: boolean): PortRole {
  const slot = /^goto slot-(\d+)$/.exec(verdict ?? "")?.[1];
  if (slot !== undefined) return { kind: "proxy", slot: Number(slot) };
  return verdict === undefined ? { kind: "former" } : { kind: "member", dns };
}

/** Handles are given out anew with each table. */
function withoutVolatile(item: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(item, (key, value) => (key === "handle" || key === "elem" ? undefined : value));
}
