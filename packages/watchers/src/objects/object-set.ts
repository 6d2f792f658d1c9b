import { canonicalJson, type EventInput, inputs } from "@millrace/core/internal";
import type { ObservedInput } from "./observed.ts";

/** Objects by subject. */
export type ObjectSet = ReadonlyMap<string, ObservedInput>;

/** The events that bring a listener from one set to another: removals, then what is new or differs. */
export function difference(before: ObjectSet, after: ObjectSet): EventInput[] {
  const gone = sorted([...before.values()].filter(({ subject }) => !after.has(subject))).reverse();
  const changed = sorted([...after.values()]).filter((input) => differs(before.get(input.subject), input));
  return [...gone.flatMap(removal), ...changed];
}

/** By subject, which has namespaces before pods: what others depend on comes first and, reversed, goes last. */
function sorted(list: readonly ObservedInput[]): ObservedInput[] {
  return list.toSorted((a, b) => (a.subject < b.subject ? -1 : 1));
}

function differs(before: ObservedInput | undefined, after: ObservedInput): boolean {
  return before === undefined || canonicalJson(before.data) !== canonicalJson(after.data);
}

/** A Node has no removal: the agent runs on it. */
function removal(input: ObservedInput): EventInput[] {
  if (input.type === "pod.observed") return [inputs.podRemoved(input.data.uid)];
  if (input.type === "namespace.observed") return [inputs.namespaceRemoved(input.data.name)];
  return [];
}

/** What a listener was told last. Each method takes a piece of news and gives the events that are left to tell; nothing, when it is none. */
export class ToldObjects {
  readonly #objects = new Map<string, ObservedInput>();

  get size(): number {
    return this.#objects.size;
  }

  get(subject: string): ObservedInput | undefined {
    return this.#objects.get(subject);
  }

  /** This is all there is. */
  replace(after: ObjectSet): EventInput[] {
    const events = difference(this.#objects, after);
    this.#objects.clear();
    for (const [subject, input] of after) this.#objects.set(subject, input);
    return events;
  }

  /** This object is so. */
  put(input: ObservedInput): EventInput[] {
    const before = this.#objects.get(input.subject);
    this.#objects.set(input.subject, input);
    return differs(before, input) ? [input] : [];
  }

  /** There is no such object. */
  remove(subject: string): EventInput[] {
    const before = this.#objects.get(subject);
    this.#objects.delete(subject);
    return before === undefined ? [] : removal(before);
  }
}
