import { runProgram } from "@millrace/core/host";
import { type Chain, type Family, familyOf, sumOf, TABLE, writeChain } from "./rules.ts";

/** A network namespace by descriptor or path; the node's own without one. */
export type Place = number | string | undefined;

/** One transaction: all of it, or nothing. */
export async function transact(rules: readonly string[], netns?: Place): Promise<void> {
  if (rules.length > 0) await program(["nft", "-f", "-"], netns, rules.join("\n"));
}

export const program = (command: readonly string[], netns?: Place, input = "") =>
  runProgram(command, { input, ...(netns !== undefined && { netns }) });

/** What the kernel holds of a chain. */
export interface Held {
  readonly owner: string;
  /** What its rules add up to, while that is what its first one says. */
  readonly sum?: string;
  /** The device of its hook. */
  readonly device?: string;
}

/** Our table of one family in one namespace, as the kernel holds it; empty when it is not there. */
export class Table {
  readonly chains = new Map<string, Held>();
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
    for (const [, name, body] of text.matchAll(/^\tchain (\S+) \{\n(.*?)^\t\}$/gms)) {
      const all = `${body}`.split("\n").map((line) => line.trim());
      const hook = /^type (.*); policy accept;$/.exec(all[0] ?? "")?.[1];
      const [first = "", ...rules] = all.slice(hook === undefined ? 0 : 1).filter((line) => line !== "");
      const [, said, owner = ""] = /^continue comment "(\S*) (\S*)"$/.exec(first) ?? [];
      const sum = sumOf({ rules, ...(hook !== undefined && { hook }) });
      const device = /device "(.+?)"/.exec(hook ?? "")?.[1];
      this.chains.set(`${name}`, { owner, ...(sum === said && { sum }), ...(device !== undefined && { device }) });
    }
  }

  static async read(family: string, netns?: Place): Promise<Table> {
    const tables = await program(["nft", "list", "tables", family], netns);
    const isThere = tables.includes(`table ${family} ${TABLE}\n`);
    return new Table(isThere ? await program(["nft", "-nn", "list", "table", family, TABLE], netns) : "");
  }

  get isThere(): boolean {
    return this.#text !== "";
  }

  /** Those of these chains that the kernel does not hold as they are wanted. */
  differing(wanted: readonly Chain[]): Chain[] {
    return wanted.filter((chain) => this.chains.get(chain.name)?.sum !== sumOf(chain));
  }

  problems(wanted: readonly Chain[]): string[] {
    return this.differing(wanted).map(({ name }) => `chain ${name} is not there, or not as it was written`);
  }

  /** The elements of a set or map: what each is, whose (its comment), and what it leads to. */
  elements(name: string): { readonly key: string; readonly owner: string; readonly value: string }[] {
    const body = new RegExp(`^\\t(?:set|map) ${name} \\{\\n(.*?)^\\t\\}$`, "ms").exec(this.#text)?.[1] ?? "";
    const elements = /elements = \{(.*)\}/s.exec(body)?.[1]?.split(",") ?? [];
    return elements.map((element) => {
      const [, key = "", owner = "", value = ""] =
        /^\s*(\S+)(?: comment "(.*?)")?(?: : "?(.*?)"?)?\s*$/.exec(element) ?? [];
      return { key, owner, value };
    });
  }

  names(pattern: RegExp): string[] {
    return [...this.chains.keys()].filter((name) => pattern.test(name));
  }

  /** Workloads that have chains here. */
  get uids(): string[] {
    const owners = this.names(/^(from|to)_/).map((name) => this.chains.get(name)?.owner ?? "");
    return [...new Set(owners)].filter((uid) => uid !== "" && !uid.startsWith("/"));
  }

  addressesOf(uid: string, map: string): string[] {
    const all = ["4", "6"].flatMap((n) => this.elements(`${map}_${n}`));
    return all.flatMap(({ key, owner }) => (owner === uid ? [key] : [])).sort();
  }

  /** Lines that take elements of members out. */
  withoutElements(which: (element: { readonly key: string; readonly owner: string }) => boolean): string[] {
    return ["dev_4", "dev_6", "mac_4", "mac_6"].flatMap((map) =>
      this.elements(map)
        .filter(which)
        .map(({ key }) => `delete element netdev ${TABLE} ${map} { ${key} }`),
    );
  }

  counter(name: string): number {
    return Number(new RegExp(`counter ${name} \\{\\s+packets (\\d+)`).exec(this.#text)?.[1] ?? 0);
  }
}

export const writeChains = (family: string, chains: readonly Chain[]) =>
  chains.flatMap((chain) => writeChain(family, chain));
export const replaceElements = (family: string, set: string, elements: readonly string[]) => [
  `flush set ${family} ${TABLE} ${set}`,
  ...elements.map((element) => `add element ${family} ${TABLE} ${set} { ${element} }`),
];

/** Connections of a pod that are older than its enrolment, as its own packets tell them. */
export async function openConnections(netns: string): Promise<{ readonly family: Family; readonly tuple: string }[]> {
  // `198.18.0.1:80`, `[2001:2::1]:80`, `[::ffff:198.18.0.1]:80`, `[fe80::1]%eth0:80`
  const endpoint = (text: string) => {
    const [, address = "", port = ""] = /^\[?(?:::ffff:(?=\d+\.))?(.*?)\]?(?:%.*)?:(\d+|\*)$/.exec(text) ?? [];
    return `${address} . ${port}`;
  };
  const sockets = (await program(["ss", "-Htan"], netns)).split("\n").map((line) => line.trim().split(/\s+/));
  return sockets
    .filter(([state = "", , , local = ""]) => !/^(|LISTEN|TIME-WAIT)$/.test(state) && !/^(127\.|\[::1\])/.test(local))
    .map(([, , , local = "", peer = ""]) => ({ family: familyOf(local.replace(/:\d+$|::ffff:/g, "")), local, peer }))
    .map(({ family, local, peer }) => ({ family, tuple: `${endpoint(local)} . ${endpoint(peer)}` }));
}
