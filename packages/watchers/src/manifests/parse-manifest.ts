import { errorMessage, type ReduceConfig } from "@millrace/core/internal";
import { type Document, LineCounter, parseAllDocuments } from "yaml";
import { ZodError } from "zod";
import { WatcherError } from "../errors.ts";
import { type ObservedInput, reduceObject } from "../objects/observed.ts";

/** One object of a manifest, reduced, and the line it begins on. */
export interface ManifestObject {
  readonly input: ObservedInput;
  readonly line: number;
}

export interface Manifest {
  readonly objects: readonly ManifestObject[];
  /** Kinds that nothing here decides on, for instance the Services of `kubectl get all`; sorted. */
  readonly ignoredKinds: readonly string[];
}

/**
 * Reads a file of Kubernetes objects as `kubectl get -o yaml` prints them: any number of YAML (or JSON) documents, each a Pod,
 * Namespace or Node, or a List of them. All or nothing: half a file would look as if the other half had been deleted.
 * @param file name for messages
 * @throws {WatcherError} `ERR_MANIFEST` with file and line, also for a file without any document: one that is being written
 *   looks like that, and taking it at its word would unenrol every pod it lists.
 */
export function parseManifest(text: string, file: string, config: ReduceConfig): Manifest {
  const reader = new ManifestReader(file, config);
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  for (const document of documents as Document.Parsed[]) {
    const [error] = document.errors;
    if (error !== undefined) throw reader.error(lines.linePos(error.pos[0]).line, error.message, error);
    reader.read(document, lines);
  }
  if (reader.empty) throw reader.error(1, "the file holds no object; delete the file to take its objects away");
  return { objects: reader.objects, ignoredKinds: [...reader.ignoredKinds].sort() };
}

type Path = readonly (string | number)[];

class ManifestReader {
  readonly objects: ManifestObject[] = [];
  readonly ignoredKinds = new Set<string>();
  empty = true;
  readonly #file: string;
  readonly #config: ReduceConfig;

  constructor(file: string, config: ReduceConfig) {
    this.#file = file;
    this.#config = config;
  }

  error(line: number, what: string, cause?: unknown): WatcherError {
    return new WatcherError("ERR_MANIFEST", `${this.#file}:${line}: ${what}`, cause === undefined ? {} : { cause });
  }

  read(document: Document.Parsed, lines: LineCounter): void {
    // `maxAliasCount` keeps a few lines of nested aliases from becoming gigabytes of objects.
    const lineOf = (path: Path) => lines.linePos(positionOf(document, path)).line;
    let value: unknown;
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (cause) {
      throw this.error(lineOf([]), errorMessage(cause), cause);
    }
    if (value === null || value === undefined) return;
    this.empty = false;
    this.#readObject(value, [], lineOf);
  }

  #readObject(value: unknown, path: Path, lineOf: (path: Path) => number): void {
    const { kind, items } = Object(value) as { kind?: unknown; items?: unknown };
    if (typeof kind !== "string") throw this.error(lineOf(path), "this is not a Kubernetes object: it has no `kind`");
    if (kind.endsWith("List")) {
      if (!Array.isArray(items)) throw this.error(lineOf(path), `this ${kind} has no \`items\``);
      for (const [index, item] of items.entries()) this.#readObject(item, [...path, "items", index], lineOf);
      return;
    }
    const input = this.#reduce(kind, value, path, lineOf);
    if (input === undefined) this.ignoredKinds.add(kind);
    else this.objects.push({ input, line: lineOf(path) });
  }

  #reduce(kind: string, value: unknown, path: Path, lineOf: (path: Path) => number): ObservedInput | undefined {
    try {
      return reduceObject(kind, value, this.#config);
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      const field = cause instanceof ZodError ? cause.issues[0]?.path : undefined;
      throw this.error(lineOf([...path, ...((field as Path | undefined) ?? [])]), errorMessage(error), error);
    }
  }
}

/** Offset of the node at a path, or of the nearest node around it when there is none: a missing field has no place of its own. */
function positionOf(document: Document.Parsed, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
    if (node?.range !== undefined) return node.range[0];
  }
  return document.contents?.range[0] ?? document.range[0];
}
