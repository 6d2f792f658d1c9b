import { errorCode, errorMessage, type Logger } from "@millrace/core/internal";
import { DirectoryWatch, RefreshLoop } from "@millrace/watchers";
import { InstallJournal } from "./files/journal.ts";
import { settled } from "./files/settled.ts";
import { type InstallPlaces, installPass, type PassResult, sweep } from "./install-pass.ts";
import { RewriteBudget, type RewriteLimits } from "./rewrite-budget.ts";
import { type InstallState, writeInstallState } from "./state.ts";

export interface InstallerOptions extends InstallPlaces {
  /** The agent's journal directory. */
  readonly journal: string;
  /** Where to say how things are ({@link readInstallState}). */
  readonly stateFile: string;
  readonly log: Logger;
  /** Told how things are whenever that changes. */
  readonly onState?: (state: InstallState) => void;
  /** How long the directory has to be quiet before it is looked at. Default 100 ms. */
  readonly settleMs?: number;
  /** Pause between two looks when inotify is silent. Default 30 s. */
  readonly rescanMs?: number;
  /** Pause between two looks while something is missing. Default 1 s. */
  readonly waitingMs?: number;
  readonly limits?: RewriteLimits;
}

/** So often somebody may write a file while one look is about it. */
const MOST_LOOKS = 10;

/** Looks, and says how things are, in the state file too. The caller holds the installer's lock. */
export async function installOnce(options: InstallerOptions, signal: AbortSignal): Promise<InstallState> {
  const installer = new Installer(options);
  let state = await installer.look(signal);
  for (let looks = 1; installer.againMs === 0 && looks < MOST_LOOKS; looks += 1) state = await installer.look(signal);
  return state;
}

/** Installs, and keeps it so until disposed. The caller holds the installer's lock. Whatever fails is tried again. */
export function watchInstallation(options: InstallerOptions): AsyncDisposable {
  const { cniConfDir, cniBinDir, log, rescanMs = 30_000, waitingMs = 1000 } = options;
  const installer = new Installer(options);
  const watches = [cniConfDir, cniBinDir].map((directory) => new DirectoryWatch(directory, log, () => loop.within(0)));
  const loop = new RefreshLoop({
    refresh: async (signal) => {
      for (const watch of watches) await rearm(watch);
      const { state } = await installer.look(signal);
      return installer.againMs ?? (state === "installed" || state === "refused" ? rescanMs : waitingMs);
    },
    onError: (error) =>
      log.error({ code: errorCode(error), error: errorMessage(error) }, "the installation cannot be looked at"),
    retryMs: waitingMs,
  });
  loop.within(0);
  return {
    async [Symbol.asyncDispose]() {
      await loop[Symbol.asyncDispose]();
      for (const watch of watches) watch[Symbol.dispose]();
    },
  };
}

/** Armed before the look, so that a change that comes during it causes another. A directory that is not there yet is looked for by time. */
async function rearm(watch: DirectoryWatch): Promise<void> {
  try {
    await watch.rearm();
  } catch (error) {
    watch[Symbol.dispose]();
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

class Installer {
  readonly #options: InstallerOptions;
  readonly #journal: InstallJournal;
  /** By file name: a quarrel is about one file. */
  readonly #budgets = new Map<string, RewriteBudget>();
  #writes = 0;
  #swept = false;
  #said: InstallState | undefined;
  /** When the last look wants the next one, if it does. Milliseconds from then. */
  againMs: number | undefined;

  constructor(options: InstallerOptions) {
    this.#options = options;
    this.#journal = new InstallJournal(options.journal, options.log);
  }

  async look(signal: AbortSignal): Promise<InstallState> {
    const { cniConfDir, log, settleMs = 100 } = this.#options;
    await settled(cniConfDir, settleMs, signal);
    let result: PassResult;
    try {
      if (!this.#swept) sweep(this.#options, this.#journal);
      this.#swept = true;
      result = installPass(this.#options, this.#journal, log, (file) => this.#spend(file));
    } catch (error) {
      result = { state: "failed", detail: `${errorCode(error)}: ${errorMessage(error)}`, warnings: [] };
    }
    this.againMs = result.againMs;
    return this.#say(result);
  }

  #spend(file: string): number {
    const budget = this.#budgets.get(file) ?? new RewriteBudget(this.#options.limits);
    this.#budgets.set(file, budget);
    const waitMs = budget.spend(performance.now());
    if (waitMs === 0) this.#writes += 1;
    return waitMs;
  }

  #say({ state, detail, config, warnings }: PassResult): InstallState {
    const before = this.#said;
    const since = before?.state === state ? before.since : new Date().toISOString();
    const now: InstallState = {
      version: 1,
      state,
      since,
      pid: process.pid,
      detail,
      ...(config && { config }),
      warnings: [...warnings],
      writes: this.#writes,
    };
    if (JSON.stringify(now) === JSON.stringify(before)) return now;
    writeInstallState(this.#options.stateFile, now);
    this.#said = now;
    this.#log(now, before);
    this.#options.onState?.(now);
    return now;
  }

  #log({ state, detail, warnings }: InstallState, before: InstallState | undefined): void {
    const { log } = this.#options;
    const told = new Set(before?.warnings.map(({ message }) => message));
    for (const { code, message } of warnings.filter((warning) => !told.has(warning.message))) {
      log.warn({ code, problem: message }, "the CNI directory needs attention");
    }
    if (before?.state === state && before.detail === detail) return;
    const fields = { state, detail };
    if (state === "installed") log.info(fields, "the CNI plugin is installed");
    else if (state === "waiting") log.info(fields, "the CNI plugin cannot be installed yet");
    else log.error(fields, "the CNI plugin is not installed");
  }
}
