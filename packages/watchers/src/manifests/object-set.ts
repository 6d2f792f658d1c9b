import { canonicalJson, type EventInput, inputs, sortedUnique } from "@millrace/core";
import type { ManifestObject, ObservedInput } from "./parse-manifest.ts";

/** The same object in two places: `kept` is used, `ignored` is not. Places are `file:line`. */
export interface Duplicate {
  readonly subject: string;
  readonly kept: string;
  readonly ignored: string;
}

/** Objects by subject. */
export type ObjectSet = ReadonlyMap<string, ObservedInput>;

/** All files as one set. Of an object that occurs more than once the first by file name, then by line, wins, whatever order they were read in. */
export function mergeFiles(files: ReadonlyMap<string, readonly ManifestObject[]>): {
  readonly objects: ObjectSet;
  readonly duplicates: readonly Duplicate[];
} {
  const objects = new Map<string, ObservedInput>();
  const places = new Map<string, string>();
  const duplicates: Duplicate[] = [];
  for (const file of sortedUnique(files.keys())) {
    for (const { input, line } of files.get(file) ?? []) {
      const place = `${file}:${line}`;
      const kept = places.get(input.subject);
      if (kept !== undefined) duplicates.push({ subject: input.subject, kept, ignored: place });
      else {
        places.set(input.subject, place);
        objects.set(input.subject, input);
      }
    }
  }
  return { objects, duplicates };
}

/** The events that bring a listener from one set to another: removals, then what is new or differs. */
export function difference(before: ObjectSet, after: ObjectSet): EventInput[] {
  const gone = sorted([...before.values()].filter(({ subject }) => !after.has(subject))).reverse();
  const changed = sorted([...after.values()]).filter((input) => {
    const old = before.get(input.subject);
    return old === undefined || canonicalJson(old.data) !== canonicalJson(input.data);
  });
  return [...gone.flatMap(removal), ...changed];
}

/** By subject, which has namespaces before pods: what others depend on comes first and, reversed, goes last. */
function sorted(list: readonly ObservedInput[]): ObservedInput[] {
  return list.toSorted((a, b) => (a.subject < b.subject ? -1 : 1));
}

/** A Node has no removal: the agent runs on it. */
function removal(input: ObservedInput): EventInput[] {
  if (input.type === "pod.observed") return [inputs.podRemoved(input.data.uid)];
  if (input.type === "namespace.observed") return [inputs.namespaceRemoved(input.data.name)];
  return [];
}
