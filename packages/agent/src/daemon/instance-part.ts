import type { Part } from "@millrace/core";
import { becomeOnlyInstance } from "./single-instance.ts";
import { Started } from "./started.ts";

/** Holds the node's lock for as long as the agent runs. */
export class InstancePart implements Part {
  readonly name = "single instance";
  readonly #adminSocket: string;
  readonly #lock = new Started<Disposable>("the lock");

  constructor(adminSocket: string) {
    this.#adminSocket = adminSocket;
  }

  async start(): Promise<void> {
    this.#lock.set(await becomeOnlyInstance(this.#adminSocket));
  }

  stop(): void {
    this.#lock.clear()?.[Symbol.dispose]();
  }
}
