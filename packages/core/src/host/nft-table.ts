import { HostError } from "./errors.ts";
import { type NftChain, sumOf } from "./nft-chain.ts";
import { NftConnections } from "./nft-connections.ts";
import { type NftElement, NftReading } from "./nft-reading.ts";
import type { NftPlace } from "./nft-transaction.ts";
import { runProgram } from "./run-program.ts";

/**
 * A table of nftables that is ours: the lines of {@link nftTransaction} that change it, and what the kernel has of it. Each chain's first rule does nothing and carries, in its comment,
 * a sum of the others and an owner. So what is read back needs no memory, and tells what somebody else has changed.
 */
export class NftTable {
  readonly #name: string;

  /** `family` as in nft(8): `inet`, `netdev`, `bridge`. */
  constructor(family: string, name: string) {
    this.#name = `${family} ${name}`;
  }

  /** What the kernel has of it; nothing, where it is not there. Rejects as {@link runProgram}. */
  async read(place: NftPlace = {}): Promise<NftReading> {
    try {
      return new NftReading(await runProgram(["nft", "-nn", "list", "table", ...this.#name.split(" ")], place));
    } catch (error) {
      const isAbsent = error instanceof HostError && error.message.includes(": Error: No such file or directory");
      if (isAbsent) return new NftReading("");
      throw error;
    }
  }

  /** Makes chains anew within the transaction. The table has to be there, and what the rules name. */
  write(chains: readonly NftChain[]): string[] {
    const heads = chains.map(({ name }) => `add chain ${this.#name} ${name}`);
    // All before the rules of any: one may lead to another.
    return [...heads, ...chains.flatMap((chain) => this.#anew(chain))];
  }

  #anew({ name, hook, owner = "", rules }: NftChain): string[] {
    const chain = `chain ${this.#name} ${name}`;
    // A hook is for good: another one is another chain.
    const anew = hook === undefined ? [] : [`delete ${chain}`, `add ${chain} { type ${hook}; }`];
    const all = [`continue comment "${sumOf({ rules, ...(hook !== undefined && { hook }) })} ${owner}"`, ...rules];
    return [`flush ${chain}`, ...anew, ...all.map((rule) => `add rule ${this.#name} ${name} ${rule}`)];
  }

  /** Takes chains away that are there, and that nothing leads to any more. */
  withoutChains(names: readonly string[]): string[] {
    return ["flush", "delete"].flatMap((verb) => names.map((name) => `${verb} chain ${this.#name} ${name}`));
  }

  /** Makes these the elements of a set: `198.18.0.1`, `"veth1"`, `198.18.0.1 comment "whose"`. */
  replaceElements(set: string, elements: readonly string[]): string[] {
    return [`flush set ${this.#name} ${set}`, ...this.addElements(set, elements)];
  }

  /** Makes these the elements of a pair of sets: IPv4 addresses of NAME_4, IPv6 addresses of NAME_6. */
  replaceAddresses(name: string, addresses: readonly string[]): string[] {
    const byFamily = Map.groupBy(addresses, (address) => (address.includes(":") ? 6 : 4));
    return ([4, 6] as const).flatMap((family) => this.replaceElements(`${name}_${family}`, byFamily.get(family) ?? []));
  }

  /** Of a set, or of a map: `198.18.0.1 comment "whose" : "veth1"`. */
  addElements(set: string, elements: readonly string[]): string[] {
    return elements.map((element) => `add element ${this.#name} ${set} { ${element} }`);
  }

  /** Takes elements out of a set or a map. They have to be there. */
  withoutElements(set: string, elements: readonly Pick<NftElement, "key">[]): string[] {
    return elements.map(({ key }) => `delete element ${this.#name} ${set} { ${key} }`);
  }

  /** A pair of sets of it: NAME_4 and NAME_6. */
  connections(name: string): NftConnections {
    return new NftConnections(this.#name, name);
  }

  /** Takes all of it away, also where there is nothing. (`destroy` came with Linux 6.3.) */
  remove(): string[] {
    return [`add table ${this.#name}`, `delete table ${this.#name}`];
  }
}
