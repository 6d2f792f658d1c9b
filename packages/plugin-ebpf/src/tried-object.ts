import type { BpfObject } from "libbpf-ts";

/** An agent opens the backend directly after it has probed it. */
const KEPT_MS = 30_000;

/**
 * The object that a probe has loaded, kept for the opening that follows: having the verifier look at it again would double the time of a node's
 * first start. Nothing of it is pinned; it goes when nobody has taken it in half a minute.
 */
export class TriedObject {
  #kept: { readonly hash: string; readonly object: BpfObject; readonly timer: NodeJS.Timeout } | undefined;

  /** From now on it is this one's to close. `hash`: of the object file. */
  keep(hash: string, object: BpfObject): void {
    this.drop();
    this.#kept = { hash, object, timer: setTimeout(() => this.drop(), KEPT_MS).unref() };
  }

  /** The one of that very file, which is the caller's then. */
  take(hash: string): BpfObject | undefined {
    if (this.#kept?.hash !== hash) return undefined;
    const { object, timer } = this.#kept;
    clearTimeout(timer);
    this.#kept = undefined;
    return object;
  }

  drop(): void {
    clearTimeout(this.#kept?.timer);
    this.#kept?.object[Symbol.dispose]();
    this.#kept = undefined;
  }
}
