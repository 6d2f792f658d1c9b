import { canonicalJson, type Json, type Part } from "@millrace/core/internal";
import type { Setup } from "../cli/settings-options.ts";
import type { Logger } from "../logging/logger.ts";
import type { RedirectionPart } from "./redirection-part.ts";
import type { Switcher } from "./switcher.ts";

/**
 * Makes the node be served as `redirectMode` says: after a start that began with the backend of before, and on SIGHUP, which reads the configuration
 * again. Of what has changed there only the mode takes effect at once; of the rest the log says that it waits for the next start. What cannot be read changes
 * nothing.
 */
export class ModePart implements Part {
  readonly name = "redirect mode";
  readonly #setup: Setup;
  readonly #redirection: RedirectionPart;
  readonly #switcher: Switcher;
  readonly #log: Logger;
  /** One after the other. */
  #working: Promise<void> = Promise.resolve();
  readonly #onHangup = (): void => this.#next(() => this.#reload());

  constructor(setup: Setup, redirection: RedirectionPart, switcher: Switcher, log: Logger) {
    this.#setup = setup;
    this.#redirection = redirection;
    this.#switcher = switcher;
    this.#log = log.child({ component: "configuration" });
  }

  start(): void {
    process.on("SIGHUP", this.#onHangup);
    if (this.#redirection.next !== undefined) this.#next(() => this.#follow(this.#switcher.mode));
  }

  async stop(): Promise<void> {
    process.off("SIGHUP", this.#onHangup);
    await this.#working;
  }

  #next(work: () => Promise<void>): void {
    this.#working = this.#working.then(work).catch((error: unknown) => {
      this.#log.error({ err: error }, "the configured redirectMode could not be put to use, what serves stays");
    });
  }

  async #reload(): Promise<void> {
    const { redirectMode, ...rest } = this.#setup.reload().configuration;
    const { redirectMode: _, ...before } = this.#setup.configuration;
    const waiting = Object.keys(rest).filter((key) => textOf(rest, key) !== textOf(before, key));
    this.#log.info(
      { redirectMode, waiting },
      "configuration read again; what is waiting takes effect at the next start",
    );
    if (redirectMode !== this.#switcher.mode) await this.#follow(redirectMode);
  }

  async #follow(redirectMode: string): Promise<void> {
    const { from, to, steps } = await this.#switcher.followMode(redirectMode);
    this.#log.info({ redirectMode, from, to, steps: steps.length }, "the node is switched to what redirectMode says");
  }
}

const textOf = (configuration: object, key: string): string =>
  canonicalJson((configuration as Record<string, Json>)[key] ?? null);
