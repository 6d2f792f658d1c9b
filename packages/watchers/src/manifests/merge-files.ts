import { sortedUnique } from "@millrace/core/internal";
import type { ObjectSet } from "../objects/object-set.ts";
import type { ObservedInput } from "../objects/observed.ts";
import type { ManifestObject } from "./parse-manifest.ts";

/** The same object in two places: `kept` is used, `ignored` is not. Places are `file:line`. */
export interface Duplicate {
  readonly subject: string;
  readonly kept: string;
  readonly ignored: string;
}

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
