import { errorCode, errorMessage, inputs, type ReduceConfig, WATCHES } from "@millrace/core/internal";
import { DirectoryWatch } from "../directory-watch.ts";
import { WatcherError } from "../errors.ts";
import type { WatcherLog } from "../log.ts";
import { ToldObjects } from "../objects/object-set.ts";
import { isOfNode } from "../objects/observed.ts";
import { RefreshLoop } from "../refresh-loop.ts";
import type { Sink, Watcher } from "../watcher.ts";
import { mergeFiles } from "./merge-files.ts";
import { type ManifestObject, parseManifest } from "./parse-manifest.ts";
import { readDirectory } from "./read-directory.ts";

export interface ManifestsOptions {
  /** Absolute path. It need not exist yet. */
  readonly directory: string;
  /** Which labels the reduced objects keep. */
  readonly config: ReduceConfig;
  /** Name of this node. As with the field selector `spec.nodeName`, pods of other nodes, and other nodes, are left out. */
  readonly nodeName: string;
  readonly log: WatcherLog;
  /** How long a file has to stay as it is before it is read. Default 100 ms. */
  readonly settleMs?: number;
  /** Pause between two looks when inotify is silent. Default 15 s. */
  readonly rescanMs?: number;
  /** Pause between two looks for a directory that is not there. Default 1 s. */
  readonly missingMs?: number;
}

/** Manifests in a directory, as if a Kubernetes API server said so: a node without one, tests, and static installations. */
export function manifestsWatcher(options: ManifestsOptions): Watcher {
  return {
    name: WATCHES.manifests,
    async start(sink: Sink): Promise<AsyncDisposable> {
      await using starting = new AsyncDisposableStack();
      const manifests = starting.use(new Manifests(options, sink));
      manifests.look();
      return starting.move();
    },
  };
}

interface KnownFile {
  /** What was read last, so that unchanged files are not parsed again and a complaint is made once per content. */
  readonly content: string | undefined;
  readonly problem: string | undefined;
  /** From the last content that could be parsed; undefined when there never was one. */
  readonly objects: readonly ManifestObject[] | undefined;
}

class Manifests implements AsyncDisposable {
  readonly #options: ManifestsOptions;
  readonly #sink: Sink;
  readonly #watch: DirectoryWatch;
  readonly #loop: RefreshLoop;
  readonly #files = new Map<string, KnownFile>();
  readonly #told = new ToldObjects();
  #duplicates = "";
  #synced = false;
  #lost: string | undefined;

  constructor(options: ManifestsOptions, sink: Sink) {
    this.#options = options;
    this.#sink = sink;
    this.#watch = new DirectoryWatch(options.directory, options.log, () => this.#loop.within(0));
    this.#loop = new RefreshLoop({
      refresh: (signal) => this.#refresh(signal),
      onError: (error) => options.log.error({ error: errorMessage(error) }, "a look at the manifests directory failed"),
      retryMs: options.rescanMs ?? 15_000,
    });
  }

  look(): void {
    this.#loop.within(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    await this.#loop[Symbol.asyncDispose]();
    this.#watch[Symbol.dispose]();
  }

  async #refresh(signal: AbortSignal): Promise<number> {
    const { directory, settleMs = 100, rescanMs = 15_000, missingMs = 1000 } = this.#options;
    const content = await this.#read(directory, settleMs, signal);
    if (content === undefined) return missingMs;

    for (const name of this.#files.keys()) {
      if (!content.files.has(name) && !content.unsettled.has(name)) this.#files.delete(name);
    }
    for (const [name, text] of content.files) this.#take(name, text);
    this.#tell();

    const unknown = [...content.unsettled].filter((name) => this.#files.get(name)?.objects === undefined);
    this.#sayWhetherSynced(unknown);
    return content.unsettled.size > 0 ? settleMs : rescanMs;
  }

  /** Undefined when the directory cannot be read; what it gave before is kept. */
  async #read(directory: string, settleMs: number, signal: AbortSignal) {
    try {
      // Armed before reading, so that a change that comes during the reading causes another look.
      await this.#watch.rearm();
      return await readDirectory(directory, settleMs, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#watch[Symbol.dispose]();
      // By code: which system call it was that found the directory gone is chance, and one loss is told once.
      const isSystemCall = (error as NodeJS.ErrnoException).syscall !== undefined;
      const reason = isSystemCall ? errorCode(error) : errorMessage(error);
      this.#sayLost(`cannot read the manifests directory ${directory}: ${reason}`);
      return undefined;
    }
  }

  #take(name: string, read: string | WatcherError): void {
    const known = this.#files.get(name);
    const content = typeof read === "string" ? read : undefined;
    if (known !== undefined && content !== undefined && known.content === content) return;
    try {
      if (read instanceof WatcherError) throw read;
      const { objects, ignoredKinds } = parseManifest(read, name, this.#options.config);
      this.#files.set(name, {
        content,
        problem: undefined,
        objects: objects.filter(({ input }) => isOfNode(input, this.#options.nodeName)),
      });
      if (ignoredKinds.length > 0)
        this.#options.log.info({ file: name, kinds: ignoredKinds }, "manifest holds kinds that are not used");
    } catch (error) {
      if (!(error instanceof WatcherError)) throw error;
      this.#files.set(name, { content, problem: error.message, objects: known?.objects });
      if (known?.problem === error.message && known.content === content) return;
      const fields = { code: error.code, directory: this.#options.directory, problem: error.message };
      this.#options.log.error(
        fields,
        "manifest cannot be used; what the file said before stands until it is corrected",
      );
    }
  }

  #tell(): void {
    const files = [...this.#files].map(([name, { objects = [] }]) => [name, objects] as const);
    const { objects, duplicates } = mergeFiles(new Map(files));
    const text = JSON.stringify(duplicates);
    if (text !== this.#duplicates) {
      for (const duplicate of duplicates)
        this.#options.log.warn({ ...duplicate }, "the same object is in two manifests; one is ignored");
      this.#duplicates = text;
    }
    for (const event of this.#told.replace(objects)) this.#sink(event);
  }

  /**
   * Synced means that an object that is not here is gone. That cannot be said while a file has never been understood: its pods
   * would lose their redirection over a misplaced space.
   */
  #sayWhetherSynced(unsettled: readonly string[]): void {
    if (this.#synced) return;
    if (unsettled.length > 0) return;
    const problem = [...this.#files.values()].find(
      ({ objects, problem }) => objects === undefined && problem !== undefined,
    )?.problem;
    if (problem !== undefined) {
      this.#sayLost(`a manifest has never been readable: ${problem}`);
      return;
    }
    this.#synced = true;
    this.#lost = undefined;
    this.#sink(inputs.watchSynced(WATCHES.manifests));
  }

  #sayLost(reason: string): void {
    this.#synced = false;
    if (this.#lost === reason) return;
    this.#lost = reason;
    this.#options.log.warn({ reason }, "manifests are not up to date");
    this.#sink(inputs.watchLost(WATCHES.manifests, reason));
  }
}
