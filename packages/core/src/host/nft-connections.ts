import type { OpenConnection } from "./open-connections.ts";

/** Since it was noted. The longest that somebody who is taken out of service is waited for. */
const TIMEOUT = "24h";
/** A rule that would note more ends there (net/netfilter/nft_dynset.c, NFT_BREAK). */
const SIZE = 65_536;

const FAMILIES = [
  { family: 4, type: "ipv4_addr" },
  { family: 6, type: "ipv6_addr" },
] as const;

/**
 * TCP connections that somebody has, in two sets of nftables: NAME_4 and NAME_6, for `ip saddr . tcp sport . ip daddr . tcp dport` and the like. Rules may note in them (`update @NAME_4 { … }`):
 * they hold 65,536 each, a connection for 24 hours.
 *
 * All methods are lines of {@link nftTransaction}.
 */
export class NftConnections {
  readonly #table: string;
  readonly #name: string;

  /** `table` as nft(8) has it: `netdev mine`. See {@link NftTable.connections}. */
  constructor(table: string, name: string) {
    this.#table = table;
    this.#name = name;
  }

  /** Makes both where they are not there. The table has to be. */
  make(): string[] {
    const endpoints = (type: string) => `${type} . inet_service . ${type} . inet_service`;
    const rest = `size ${SIZE}; flags dynamic,timeout; timeout ${TIMEOUT};`;
    return FAMILIES.map(({ family, type }) => `add set ${this.#set(family)} { type ${endpoints(type)}; ${rest} }`);
  }

  /**
   * Notes connections as their packets tell them: those that this end sends (`sent`: its address first), or those that are sent to it (`received`: the other's first). What is noted
   * already stays. More than they hold is refused, with all of the transaction.
   */
  add(connections: readonly OpenConnection[], packets: "sent" | "received"): string[] {
    return connections.map(({ family, local, localPort, remote, remotePort }) => {
      const ends = [`${local} . ${localPort}`, `${remote} . ${remotePort}`];
      const key = (packets === "sent" ? ends : ends.reverse()).join(" . ");
      return `add element ${this.#set(family)} { ${key} }`;
    });
  }

  /** Takes out what is in them. */
  clear(): string[] {
    return FAMILIES.map(({ family }) => `flush set ${this.#set(family)}`);
  }

  /** Takes both away. They have to be there, and no rule names them any more. */
  remove(): string[] {
    return FAMILIES.map(({ family }) => `delete set ${this.#set(family)}`);
  }

  #set(family: 4 | 6): string {
    return `${this.#table} ${this.#name}_${family}`;
  }
}
