import type { Configuration, Part } from "@millrace/core/internal";
import type { Logger } from "../logging/logger.ts";
import { keepSnapshot } from "../proof/snapshot-file.ts";

/** Notes how the node is before this agent, or any before it, did anything to it. */
export class SnapshotPart implements Part {
  readonly name = "snapshot of the node";
  readonly #configuration: Configuration;
  readonly #log: Logger;

  constructor(configuration: Configuration, log: Logger) {
    this.#configuration = configuration;
    this.#log = log;
  }

  async start(): Promise<void> {
    await keepSnapshot(this.#configuration, this.#log);
  }

  /** It stays until the node is uninstalled. */
  stop(): void {}
}
