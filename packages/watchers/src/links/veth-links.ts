import { type EventInput, inputs } from "@millrace/core/internal";
import type { Link } from "linux-ts";

/** The node's ends of veth pairs as they were last told, and the events that bring that up to date. Pure. */
export class VethLinks {
  readonly #names = new Map<number, string>();

  /** After a full list: what came, what went. */
  reconcile(links: readonly Link[]): EventInput[] {
    const now = new Set(links.filter(({ kind }) => kind === "veth").map(({ index }) => index));
    const gone = [...this.#names.keys()].filter((index) => !now.has(index));
    return [...gone.flatMap((index) => this.remove(index)), ...links.flatMap((link) => this.add(link))];
  }

  /** A link is there. One that was renamed, or whose index was taken by another, is told as added under its new name. */
  add({ index, name, kind }: Pick<Link, "index" | "name" | "kind">): EventInput[] {
    if (kind !== "veth") return this.remove(index);
    if (this.#names.get(index) === name) return [];
    this.#names.set(index, name);
    return [inputs.linkChanged({ ifindex: index, name, change: "added" })];
  }

  remove(index: number): EventInput[] {
    const name = this.#names.get(index);
    if (name === undefined) return [];
    this.#names.delete(index);
    return [inputs.linkChanged({ ifindex: index, name, change: "removed" })];
  }
}
