import type { InstallState } from "@millrace/cni-install";
import type { Configuration, Part } from "@millrace/core/internal";
import { BehaviorSubject, type Observable } from "rxjs";
import { runInstallWatch } from "../install/run-install.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Logger } from "../logging/logger.ts";

/**
 * Keeps the CNI plugin and its entry installed, where `install.enabled`. Started last, for from the entry on pods wait for the CNI
 * socket; stopping it leaves everything installed. Nothing that is wrong with the CNI directories keeps the agent from its work.
 */
export class InstallPart implements Part {
  readonly name = "cni install";
  readonly #configuration: Configuration;
  readonly #log: Logger;
  readonly #state = new BehaviorSubject<InstallState | undefined>(undefined);
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();

  constructor(configuration: Configuration, log: Logger) {
    this.#configuration = configuration;
    this.#log = log.child({ component: "install" });
  }

  get enabled(): boolean {
    return this.#configuration.install.enabled;
  }

  /** What the installer of this run says; undefined before its first look. */
  get state(): InstallState | undefined {
    return this.#state.value;
  }

  /** {@link state}, and whenever it changes. */
  get state$(): Observable<InstallState | undefined> {
    return this.#state.asObservable();
  }

  start(): void {
    if (!this.enabled) return;
    const say = (state: InstallState) => this.#state.next(state);
    this.#done = runInstallWatch(this.#configuration, this.#log, this.#stop.signal, say).catch((error: unknown) => {
      this.#log.error({ err: error }, "the CNI plugin cannot be installed");
      say(failedState(describeError(error).message));
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

/** What kept the installer from looking at all, for instance a lock that cannot be made. */
const failedState = (detail: string): InstallState => ({
  version: 1,
  state: "failed",
  since: new Date().toISOString(),
  pid: process.pid,
  detail,
  warnings: [],
  writes: 0,
});
