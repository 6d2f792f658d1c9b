import { errorMessage, type ReduceConfig } from "@millrace/core/internal";
import type { WatcherLog } from "../log.ts";
import { ToldObjects } from "../objects/object-set.ts";
import { isOfNode, type ObservedInput, reduceObject } from "../objects/observed.ts";
import type { Sink } from "../watcher.ts";
import type { ObjectIdentity, WatchedResource } from "./watched-resource.ts";

export interface IntakeOptions {
  readonly resource: WatchedResource;
  readonly config: ReduceConfig;
  readonly nodeName: string;
  readonly sink: Sink;
  readonly log: WatcherLog;
}

/**
 * Takes raw objects, keeps them reduced, and tells what differs from what was told before. An object that cannot be read is reported and
 * left out; what it said before stands, for an object that is there is not gone.
 */
export class ObjectIntake {
  readonly #options: IntakeOptions;
  readonly #told = new ToldObjects();
  /** The last complaint by subject, so that each is made once. */
  readonly #complaints = new Map<string, string>();
  #listed = new Map<string, ObservedInput>();
  /** Subjects that the list has mentioned, readable or not. */
  #mentioned = new Set<string>();
  #skipped = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#told.size;
  }

  /** Objects left out so far. */
  get skipped(): number {
    return this.#skipped;
  }

  /** A complete list begins; one that had begun is forgotten. */
  beginList(): void {
    this.#listed = new Map();
    this.#mentioned = new Set();
  }

  addPage(items: readonly unknown[]): void {
    for (const raw of items) {
      const subject = this.#subjectOf(raw);
      if (subject !== undefined) this.#mentioned.add(subject);
      const input = this.#reduce(raw, subject) ?? (subject === undefined ? undefined : this.#told.get(subject));
      if (input !== undefined && this.#isWanted(input)) this.#listed.set(input.subject, input);
    }
  }

  /** The list is complete: what it did not mention is gone. */
  endList(): void {
    const [listed, mentioned] = [this.#listed, this.#mentioned];
    this.beginList();
    for (const subject of this.#complaints.keys()) if (!mentioned.has(subject)) this.#complaints.delete(subject);
    this.#tell(this.#told.replace(listed));
  }

  put(raw: unknown): void {
    const input = this.#reduce(raw, this.#subjectOf(raw));
    if (input === undefined) return;
    this.#tell(this.#isWanted(input) ? this.#told.put(input) : this.#told.remove(input.subject));
  }

  remove(raw: unknown): void {
    const subject = this.#subjectOf(raw);
    if (subject === undefined) return;
    this.#complaints.delete(subject);
    this.#tell(this.#told.remove(subject));
  }

  #tell(events: ReturnType<ToldObjects["put"]>): void {
    for (const event of events) this.#options.sink(event);
  }

  /** The field selector sees to this; an API server in front of another one need not. */
  #isWanted(input: ObservedInput): boolean {
    return isOfNode(input, this.#options.nodeName);
  }

  #subjectOf(raw: unknown): string | undefined {
    const { metadata } = Object(raw) as { metadata?: unknown };
    return this.#options.resource.subjectOf(Object(metadata) as ObjectIdentity);
  }

  #reduce(raw: unknown, subject: string | undefined): ObservedInput | undefined {
    const { resource, config, log } = this.#options;
    try {
      const input = reduceObject(resource.kind, raw, config);
      if (subject !== undefined) this.#complaints.delete(subject);
      return input;
    } catch (error) {
      this.#skipped++;
      const problem = errorMessage(error);
      const known = subject !== undefined && this.#complaints.get(subject) === problem;
      if (subject !== undefined) this.#complaints.set(subject, problem);
      if (!known) {
        const fields = { watch: resource.watch, subject, problem };
        log.error(fields, "object of the API server cannot be used; what it said before stands until it is corrected");
      }
      return undefined;
    }
  }
}
