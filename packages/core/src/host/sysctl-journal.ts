import { existsSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { readSysctl, writeSysctl } from "linux-ts";
import { z } from "zod";
import type { PluginLogger } from "../backend/contract.ts";
import { errorCode, errorMessage } from "../errors.ts";
import { currentBootId } from "./boot-id.ts";
import { readAll, removeDurably, removeUnfinished, writeDurably } from "./journal-file.ts";
import { lockedDirectory } from "./locked-directory.ts";
import { removeEmpty } from "./remove-empty.ts";

/** A network namespace for as long as it is open here. */
export interface NetnsHandle {
  /** undefined: our own. */
  readonly fd: number | undefined;
  readonly inode: number;
}

/** What a sysctl has to be, in the order of writing. `path` as in `/proc/sys/<path>`. */
export interface SysctlChange {
  readonly path: string;
  readonly value: string;
  /** Note it also where it has the value already: putting back another one would change it. */
  readonly always?: boolean;
}

const entrySchema = z.strictObject({
  version: z.literal(1),
  /** Sysctls and inode numbers of namespaces do not outlive the kernel that has them. */
  bootId: z.string(),
  netnsInode: z.int(),
  path: z.string(),
  /** Some sysctls change others when written, so they are put back in the opposite order. */
  order: z.int(),
  before: z.string(),
  written: z.string(),
  /** Who needs it changed; the last one to let go puts it back. */
  holders: z.array(z.string()),
});
type Entry = z.output<typeof entrySchema>;

/**
 * Every sysctl that was changed on the host, and what stood there before: one file each, written before the sysctl. A sysctl is put
 * back when its last holder lets go, and only if it still has the value that was written: what somebody else has set since is his.
 *
 * All backends share it, in whatever process they are: what two of them need is put back by the last. `directory` is the `journal` that a plugin's host has. Every
 * method may throw `ERR_JOURNAL_BUSY`, and the errors of reading and writing a sysctl (`ENOENT`, `EACCES`, `EINVAL`).
 */
export class SysctlJournal {
  readonly #directory: string;
  readonly #log: PluginLogger;
  readonly #bootId: string;

  constructor(directory: string, log: PluginLogger, bootId = currentBootId()) {
    this.#directory = join(directory, "sysctl");
    this.#log = log;
    this.#bootId = bootId;
  }

  /** Makes the sysctls have these values on behalf of `holder`. Sysctls that have them already, by nobody's doing, are not touched or noted. */
  change(holder: string, netns: NetnsHandle, changes: readonly SysctlChange[]): void {
    lockedDirectory(this.#directory, () => this.#change(holder, netns, changes));
  }

  #change(holder: string, netns: NetnsHandle, changes: readonly SysctlChange[]): void {
    const entries = this.#entriesOf(netns.inode);
    const readings = changes.map((change) => ({ ...change, present: readSysctl(netns.fd, change.path) }));
    // Note all before writing any: writing conf/all/forwarding changes the value of every interface.
    for (const [order, { path, value, present, always }] of readings.entries()) {
      const entry = entries.find((candidate) => candidate.path === path);
      if (!entry && present === value && !always) continue;
      const holders = [...new Set([...(entry?.holders ?? []), holder])].sort();
      const before = entry?.before ?? present;
      const next = {
        version: 1,
        bootId: this.#bootId,
        netnsInode: netns.inode,
        path,
        order,
        before,
        written: value,
        holders,
      } as const;
      if (JSON.stringify(next) !== JSON.stringify(entry)) this.#write(next);
    }
    for (const { path, value } of changes) if (readSysctl(netns.fd, path) !== value) writeSysctl(netns.fd, path, value);
  }

  /** Lets go of everything `holder` changed in a namespace, and puts back what nobody else holds. */
  restore(holder: string, netns: NetnsHandle): void {
    this.#locked(() => this.#restore(holder, netns));
  }

  #restore(holder: string, netns: NetnsHandle): void {
    const held = this.#entriesOf(netns.inode).filter(({ holders }) => holders.includes(holder));
    const last = held.filter(({ holders }) => holders.length === 1);
    const targets = last.map((entry) => ({ entry, target: this.#target(netns, entry) })).reverse();
    // Last changed, first put back; and twice, because the second writing mends what the first did to the values before it.
    for (const { entry, target } of [...targets, ...targets]) {
      if (target !== undefined && readSysctl(netns.fd, entry.path) !== target)
        writeSysctl(netns.fd, entry.path, target);
    }
    for (const entry of held) {
      if (last.includes(entry)) removeDurably(this.#file(entry));
      else this.#write({ ...entry, holders: entry.holders.filter((name) => name !== holder) });
    }
  }

  /** Lets go of everything `holder` changed in a namespace without putting anything back: the interface is gone, or another one by now. */
  abandon(holder: string, netnsInode: number): void {
    this.#locked(() => this.#abandon(holder, netnsInode));
  }

  #abandon(holder: string, netnsInode: number): void {
    for (const entry of this.#entriesOf(netnsInode)) {
      const holders = entry.holders.filter((name) => name !== holder);
      if (holders.length === 0) removeDurably(this.#file(entry));
      else if (holders.length < entry.holders.length) this.#write({ ...entry, holders });
    }
  }

  /** Forgets a namespace that is gone: its sysctls went with it, and its inode number may come back. */
  forget(netnsInode: number): void {
    this.#locked(() => this.#forget(netnsInode));
  }

  #forget(netnsInode: number): void {
    for (const entry of this.#entriesOf(netnsInode)) removeDurably(this.#file(entry));
  }

  /** Sysctls that `holder` changed in a namespace and that have another value now. */
  drifted(holder: string, netns: NetnsHandle): string[] {
    return this.#entriesOf(netns.inode)
      .filter(({ holders }) => holders.includes(holder))
      .map((entry) => ({ entry, present: this.#read(netns, entry.path) }))
      .filter(({ entry, present }) => present !== entry.written)
      .map(({ entry, present }) => `sysctl ${entry.path} is ${present ?? "gone"}, not ${entry.written}`);
  }

  /** What was written to a sysctl of a namespace, if it is noted, whoever holds it. */
  written(netns: NetnsHandle, path: string): string | undefined {
    return this.#entriesOf(netns.inode).find((entry) => entry.path === path)?.written;
  }

  /** Removes what an earlier boot of the machine left, and what a crash left half written. */
  sweep(): void {
    this.#locked(() => this.#sweep());
  }

  #sweep(): void {
    removeUnfinished(this.#directory);
    for (const entry of this.#all()) {
      if (entry.bootId !== this.#bootId) removeDurably(this.#file(entry));
    }
  }

  /** Removes the journal's directories once nothing is noted in them. */
  close(): void {
    const all = [this.#directory, dirname(this.#directory)];
    this.#locked(() => removeEmpty(...all));
    if (!existsSync(this.#directory)) removeEmpty(...all);
  }

  /** Where nothing was ever noted there is nothing to keep others from. */
  #locked(work: () => void): void {
    if (existsSync(this.#directory)) lockedDirectory(this.#directory, work);
  }

  #target(netns: NetnsHandle, { path, before, written }: Entry): string | undefined {
    const present = this.#read(netns, path);
    if (present === undefined || present === written) return present && before;
    this.#log.warn({ sysctl: path, present, written, before }, "leaving a sysctl that somebody else has changed since");
    return present;
  }

  /** Undefined: the interface it belonged to is gone. */
  #read(netns: NetnsHandle, path: string): string | undefined {
    try {
      return readSysctl(netns.fd, path);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  #entriesOf(netnsInode: number): Entry[] {
    return this.#all()
      .filter((entry) => entry.bootId === this.#bootId && entry.netnsInode === netnsInode)
      .sort((a, b) => a.order - b.order);
  }

  #all(): Entry[] {
    return readAll(this.#directory).flatMap(({ path, text }) => {
      try {
        return [entrySchema.parse(JSON.parse(text))];
      } catch (error) {
        const aside = `${path.slice(0, -".json".length)}.damaged`;
        renameSync(path, aside);
        this.#log.error(
          { file: aside, error: errorMessage(error) },
          "cannot read a journal entry; check the sysctl it names by hand",
        );
        return [];
      }
    });
  }

  #write(entry: Entry): void {
    writeDurably(this.#file(entry), `${JSON.stringify(entry)}\n`);
  }

  #file({ netnsInode, path }: Entry): string {
    return join(this.#directory, `${netnsInode}-${encodeURIComponent(path)}.json`);
  }
}
