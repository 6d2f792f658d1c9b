import { type Chain, sumOf, TABLE } from "./rules.ts";
import { type Place, run, table } from "./system.ts";

/** What the kernel holds of a chain. */
export interface Held {
  readonly owner: string;
  /** What its rules were to add up to, when they still do. */
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
      const lines = `${body}`.split("\n").map((line) => line.trim());
      const hook = /^type (.*); policy accept;$/.exec(lines[0] ?? "")?.[1];
      const [note = "", ...rules] = lines.slice(hook === undefined ? 0 : 1).filter((line) => line !== "");
      const [, said, owner = ""] = /^continue comment "(\S*) (\S*)"$/.exec(note) ?? [];
      const sum = sumOf({ rules, ...(hook !== undefined && { hook }) });
      const device = /device "(.+?)"/.exec(hook ?? "")?.[1];
      this.chains.set(`${name}`, { owner, ...(sum === said && { sum }), ...(device !== undefined && { device }) });
    }
  }

  static async read(place: Place, family: string): Promise<Table> {
    return new Table(await table(place, family, TABLE));
  }

  /** Of these chains those that the kernel does not hold as they are wanted. */
  differing(wanted: readonly Chain[]): Chain[] {
    return wanted.filter((chain) => this.chains.get(chain.name)?.sum !== sumOf(chain));
  }

  /** The elements of a set or map: what it is, whose (its comment), and what it leads to. */
  elements(name: string): { readonly key: string; readonly owner: string; readonly value: string }[] {
    const body = new RegExp(`^\\t(?:set|map) ${name} \\{\\n(.*?)^\\t\\}$`, "ms").exec(this.#text)?.[1] ?? "";
    const elements = /elements = \{(.*)\}/s.exec(body)?.[1]?.split(",") ?? [];
    return elements.map((element) => {
      const [, key = "", owner = "", value = ""] =
        /^\s*(\S+)(?: comment "(.*?)")?(?: : "?(.*?)"?)?\s*$/.exec(element) ?? [];
      return { key, owner, value };
    });
  }

  counter(name: string): number {
    return Number(new RegExp(`counter ${name} \\{\\s+packets (\\d+)`).exec(this.#text)?.[1] ?? 0);
  }
}

/** Interface indexes of the node, by name. */
export async function linkIndexes(): Promise<Map<string, number>> {
  const lines = (await run(undefined, "", "ip", "-o", "link")).matchAll(/^(\d+): ([^@:]+)/gm);
  return new Map([...lines].map(([, index, name = ""]) => [name, Number(index)]));
}
