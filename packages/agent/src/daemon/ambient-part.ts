import { ambientConfig, type Part } from "@millrace/core/internal";
import { map, type Subscription } from "rxjs";
import type { Logger } from "../logging/logger.ts";
import { AmbientConfigFile } from "./ambient-config.ts";
import type { EnginePart } from "./engine-part.ts";
import { Started } from "./started.ts";

/** Publishes whether the node has a proxy that serves, and by which backend. The file stays when the agent stops. */
export class AmbientPart implements Part {
  readonly name = "ambient config";
  readonly #engine: EnginePart;
  readonly #file: AmbientConfigFile;
  readonly #subscription = new Started<Subscription>("the ambient config");

  constructor(engine: EnginePart, path: string, log: Logger) {
    this.#engine = engine;
    this.#file = new AmbientConfigFile(path, log.child({ component: "ambient" }));
  }

  async start(): Promise<void> {
    const { engine } = this.#engine;
    await this.#file.set(ambientConfig(engine.state));
    this.#subscription.set(engine.state$.pipe(map(ambientConfig)).subscribe((config) => void this.#file.set(config)));
  }

  async stop(): Promise<void> {
    this.#subscription.clear()?.unsubscribe();
    await this.#file.idle();
  }
}
