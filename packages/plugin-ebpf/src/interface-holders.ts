import { existsSync } from "node:fs";
import type { Pins, WorkloadPin } from "./pins.ts";

/**
 * Which workload an interface is enrolled for. The directories say so, but by workload: to find one by its interface all would have to be
 * read. So it is remembered from adopting on, and what is remembered counts only while its directory is there.
 */
export class InterfaceHolders {
  readonly #pins: Pins;
  readonly #uids = new Map<number, string>();

  constructor(pins: Pins) {
    this.#pins = pins;
  }

  note({ ifindex, uid }: Pick<WorkloadPin, "ifindex" | "uid">): void {
    this.#uids.set(ifindex, uid);
  }

  forget({ ifindex, uid }: Pick<WorkloadPin, "ifindex" | "uid">): void {
    if (this.#uids.get(ifindex) === uid) this.#uids.delete(ifindex);
  }

  of(ifindex: number): WorkloadPin | undefined {
    const uid = this.#uids.get(ifindex);
    if (uid === undefined) return undefined;
    const directory = this.#pins.workload(uid, ifindex);
    return existsSync(directory) ? { uid, ifindex, directory } : undefined;
  }
}
