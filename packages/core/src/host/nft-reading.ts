import { type NftChain, sumOf } from "./nft-chain.ts";

/** What the kernel has of a chain. */
export interface NftHeldChain {
  /** As it was written with it; empty where it had none, or where its first rule is not ours. */
  readonly owner: string;
  /** What its rules add up to, while that is what its first one says: undefined where somebody has changed it. */
  readonly sum?: string;
  /** Name of the interface that it is hooked to. */
  readonly device?: string;
}

/** An element of a set or a map. */
export interface NftElement {
  /** Without quotes; parts of a concatenation with ` . ` between them. */
  readonly key: string;
  /** Its comment, or nothing. */
  readonly comment: string;
  /** What it leads to, without quotes; empty in a set. */
  readonly value: string;
}

/** What the kernel had of a table when it was read: see `NftTable.read`. */
export class NftReading {
  /** By name. */
  readonly chains: ReadonlyMap<string, NftHeldChain>;
  readonly #text: string;
  /** By set, what was asked for: of a table with hundreds of members it is asked for each of them. */
  readonly #elements = new Map<string, readonly NftElement[]>();

  /** As `nft -nn list table` prints it; empty where there is none. */
  constructor(text: string) {
    this.#text = text;
    const found = [...text.matchAll(/^\tchain (\S+) \{\n(.*?)^\t\}$/gms)];
    this.chains = new Map(found.map(([, name = "", body = ""]) => [name, held(body)]));
  }

  get isThere(): boolean {
    return this.#text !== "";
  }

  /** Those of these chains that the kernel has not as they are wanted. */
  differing(wanted: readonly NftChain[]): NftChain[] {
    return wanted.filter((chain) => this.chains.get(chain.name)?.sum !== sumOf(chain));
  }

  /** The same in words, for an observation: one short phrase a chain. */
  problems(wanted: readonly NftChain[]): string[] {
    return this.differing(wanted).map(({ name }) => problemOf(name));
  }

  /** As {@link problems} where what is wanted is not known any more: whether each is there, and as whoever wrote it left it. */
  changes(names: readonly string[]): string[] {
    return names.filter((name) => this.chains.get(name)?.sum === undefined).map(problemOf);
  }

  /** Whose the chains are that have names like this, each owner once. */
  owners(pattern: RegExp): string[] {
    const named = [...this.chains].filter(([name]) => pattern.test(name)).map(([, { owner }]) => owner);
    return [...new Set(named)].filter((owner) => owner !== "");
  }

  /** Of a set or a map by its name; none where it is not there. */
  elements(set: string): readonly NftElement[] {
    const found = this.#elements.get(set) ?? this.#elementsOf(set);
    this.#elements.set(set, found);
    return found;
  }

  /** Addresses in a pair of sets or maps, NAME_4 and NAME_6, sorted: all of them, or those with this comment. See `NftTable.replaceAddresses`. */
  addresses(name: string, comment?: string): string[] {
    const all = [4, 6].flatMap((family) => this.elements(`${name}_${family}`));
    return all.flatMap((one) => (comment === undefined || one.comment === comment ? [one.key] : [])).sort();
  }

  /** Packets that a named counter has counted; 0 where it is not there. */
  packets(counter: string): number {
    return Number(/packets (\d+)/.exec(this.#body("counter", counter))?.[1] ?? 0);
  }

  #elementsOf(set: string): NftElement[] {
    const body = this.#body("(?:set|map)", set);
    const elements = /elements = \{(.*)\}/s.exec(body)?.[1] ?? "";
    return [...elements.matchAll(ELEMENT)].map(([, key = "", comment = "", value = ""]) => ({
      key: bare(key),
      comment,
      value: bare(value),
    }));
  }

  #body(kind: string, name: string): string {
    return new RegExp(`^\\t${kind} ${name} \\{\\n(.*?)^\\t\\}$`, "ms").exec(this.#text)?.[1] ?? "";
  }
}

/** `KEY [timeout T] [expires T] [counter …] [comment "TEXT"] [: VALUE]`, as src/expression.c and src/datatype.c of nftables print it. */
const ELEMENT =
  /((?:"[^"]*"|[^\s,"]+)(?: \. (?:"[^"]*"|[^\s,"]+))*)(?: (?:timeout|expires) \w+| counter packets \d+ bytes \d+)*(?: comment "([^"]*)")?(?: : ("[^"]*"|[^,]*[^,\s]))?/g;
const problemOf = (name: string): string => `chain ${name} is not there, or not as it was written`;
const bare = (text: string): string => text.replaceAll('"', "");

function held(body: string): NftHeldChain {
  const lines = body.split("\n").map((line) => line.trim());
  const hook = /^type (.*); policy accept;$/.exec(lines[0] ?? "")?.[1];
  const [first = "", ...rules] = lines.slice(hook === undefined ? 0 : 1).filter((line) => line !== "");
  const [, said, owner = ""] = /^continue comment "(\S*) (\S*)"$/.exec(first) ?? [];
  const sum = sumOf({ rules, ...(hook !== undefined && { hook }) });
  const device = /device "(.+?)"/.exec(hook ?? "")?.[1];
  return { owner, ...(sum === said && { sum }), ...(device !== undefined && { device }) };
}
