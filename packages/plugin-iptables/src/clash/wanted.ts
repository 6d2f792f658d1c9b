import type { IpLink } from "../commands/ip-schemas.ts";
import { BLOCK, type IptablesConfig } from "../config.ts";
import { MAX_SLOTS } from "../marks.ts";

/** The numbers and names that the configuration gives to this backend on the node. Ranges have their last number in them. */
export interface Wanted {
  readonly mask: number;
  readonly priorities: readonly [number, number];
  readonly tables: readonly [number, number];
  readonly zones: readonly [number, number];
  readonly gateways: readonly string[];
  /** By name, the VNI that ours has. */
  readonly links: Readonly<Record<string, number>>;
  /** By name, the type that ours has: `hash:net,iface`. */
  readonly sets: Readonly<Record<string, string>>;
  readonly isOurChain: (name: string) => boolean;
  /** Of nftables. */
  readonly isOurTable: (name: string) => boolean;
}

export type WantedNames = Pick<Wanted, "sets" | "isOurChain" | "isOurTable">;

export type WantedRouting = Pick<Wanted, "mask" | "priorities" | "tables">;

export function wantedRouting({ marks, rules, tables }: IptablesConfig): WantedRouting {
  return {
    mask: marks.mask,
    priorities: [rules.priority, rules.priority + BLOCK - 1],
    tables: [tables.first, tables.first + BLOCK - 1],
  };
}

export function wantedOf(config: IptablesConfig, names: WantedNames): Wanted {
  const { links, vni, conntrackZone } = config;
  return {
    ...names,
    ...wantedRouting(config),
    zones: [conntrackZone, conntrackZone + MAX_SLOTS - 1],
    gateways: [links.gateway4, links.gateway6],
    links: { [links.outbound]: vni.outbound, [links.inbound]: vni.inbound },
  };
}

export function isWithin([first, last]: readonly [number, number], number: number): boolean {
  return first <= number && number <= last;
}

/** Whether a link by one of our names is a tunnel that we made, whatever it leads to now. */
export function isOurLink({ links }: Pick<Wanted, "links">, { ifname, linkinfo }: IpLink): boolean {
  const kind = linkinfo?.info_kind;
  return (kind === "geneve" || kind === "vxlan") && linkinfo?.info_data?.id === links[ifname];
}
