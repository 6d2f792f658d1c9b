import type { Part } from "@millrace/core/internal";
import { becomeOnlyInstance, type NodePlaces } from "./single-instance.ts";
import { Started } from "./started.ts";

/** Holds the node's locks for as long as the agent runs. */
export class InstancePart implements Part {
  readonly name = "single instance";
  readonly #places: NodePlaces;
  readonly #lock = new Started<Disposable>("the locks");

  constructor(places: NodePlaces) {
    this.#places = places;
  }

  async start(): Promise<void> {
    this.#lock.set(await becomeOnlyInstance(this.#places));
  }

  stop(): void {
    this.#lock.clear()?.[Symbol.dispose]();
  }
}
