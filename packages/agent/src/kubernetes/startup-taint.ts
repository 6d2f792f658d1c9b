import type { KubernetesApi } from "@millrace/watchers";
import { z } from "zod";
import type { Logger } from "../logging/logger.ts";
import { ApiWrites } from "./api-writes.ts";

export interface StartupTaintOptions {
  readonly api: Pick<KubernetesApi, "get" | "jsonPatch">;
  /** Name of this node. */
  readonly node: string;
  /** Key of the taint, whatever its value and effect. */
  readonly key: string;
  readonly log: Logger;
}

const nodeSchema = z.object({
  spec: z.object({ taints: z.array(z.looseObject({ key: z.string() })).default([]) }).default({ taints: [] }),
});

/** Takes the taint off this node, once a run: from then on pods may start here. It is never put on. */
export class StartupTaint implements AsyncDisposable {
  readonly #options: StartupTaintOptions;
  readonly #writes: ApiWrites;
  #asked = false;

  constructor(options: StartupTaintOptions) {
    this.#options = options;
    const write = (_: string, signal: AbortSignal) => this.#remove(signal);
    // Pods wait for it.
    this.#writes = new ApiWrites({ kind: "taint", log: options.log, write, backoff: { baseMs: 250, capMs: 15_000 } });
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#writes.counts;
  }

  /** To be told whenever it is known whether pods can start here. */
  look(ready: boolean): void {
    if (!ready || this.#asked) return;
    this.#asked = true;
    this.#writes.add(this.#options.node);
  }

  async #remove(signal: AbortSignal): Promise<boolean> {
    const { api, node, key, log } = this.#options;
    const path = `/api/v1/nodes/${node}`;
    const { taints } = nodeSchema.parse(await api.get(path, `reading the taints of node ${node}`, signal)).spec;
    const rest = taints.filter((taint) => taint.key !== key);
    if (rest.length === taints.length) {
      log.info({ taint: key }, "the node does not have the startup taint");
      return false;
    }
    // All taints are tested: one that somebody changes meanwhile must not be lost (RFC 6902, 4.6). Then it is read again.
    const steps = [
      { op: "test", path: "/spec/taints", value: taints },
      { op: "replace", path: "/spec/taints", value: rest },
    ];
    await api.jsonPatch(path, steps, `taking the taint ${key} off node ${node}`, signal);
    log.info({ taint: key }, "startup taint taken off: pods may start on this node");
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writes[Symbol.asyncDispose]();
  }
}
