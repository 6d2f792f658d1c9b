import { ANNOTATIONS, type State } from "@millrace/core";
import { ApiStatusError, type KubernetesApi } from "@millrace/watchers";
import { z } from "zod";
import type { Logger } from "../logging/logger.ts";
import type { WorkloadState, WorkloadStatus } from "../status/status-document.ts";
import { ApiWrites } from "./api-writes.ts";

/** Whose value says that a pod's traffic is captured: read by ztunnel's and istioctl's users as of Istio 1.20. */
const KEY = ANNOTATIONS.ambientRedirection;
type Wanted = "enabled" | "none" | "as it is";

export type AnnotatedPod = Pick<WorkloadStatus, "uid" | "namespace" | "name" | "state">;

export interface PodAnnotationsOptions {
  readonly api: Pick<KubernetesApi, "get" | "mergePatch">;
  readonly log: Logger;
  /** The pod as it is now; undefined when it is gone. */
  readonly pod: (uid: string) => AnnotatedPod | undefined;
}

/** A write whose echo does not come for so long did not stay: it is looked at again. */
const ECHO_MS = 60_000;

const podSchema = z.object({
  metadata: z.object({
    uid: z.string(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
});

/**
 * Keeps the annotation `ambient.istio.io/redirection: enabled` on the pods of which the kernel was seen to hold everything, and off all
 * others. Whatever else that annotation says is its author's (`disabled` keeps a pod out), and stays.
 */
export class PodAnnotations implements AsyncDisposable {
  readonly #options: PodAnnotationsOptions;
  readonly #writes: ApiWrites;
  readonly #written = new Map<string, { readonly wanted: Wanted; readonly at: number }>();

  constructor(options: PodAnnotationsOptions) {
    this.#options = options;
    const write = (uid: string, signal: AbortSignal) => this.#write(uid, signal);
    // A pod that the kubelet changes meanwhile is read again soon.
    this.#writes = new ApiWrites({
      kind: "annotation",
      log: options.log,
      write,
      backoff: { baseMs: 250, capMs: 300_000 },
    });
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#writes.counts;
  }

  /** Compares what is with what the API server was last heard to have. `now` is in milliseconds of any steady clock. */
  look(workloads: readonly AnnotatedPod[], pods: State["pods"], now: number): void {
    for (const { uid, state } of workloads) {
      const pod = pods.get(uid);
      const wanted = wantedFor(state);
      const has = pod?.annotations[KEY];
      const written = this.#written.get(uid);
      if (pod === undefined || pod.terminating || isSettled(has, wanted)) this.#written.delete(uid);
      else if (written?.wanted !== wanted || now - written.at > ECHO_MS) this.#writes.add(uid);
    }
    for (const uid of this.#written.keys()) if (!pods.has(uid)) this.#written.delete(uid);
  }

  async #write(uid: string, signal: AbortSignal): Promise<boolean> {
    const { api, pod: podOf } = this.#options;
    const pod = podOf(uid);
    const wanted = pod === undefined ? "as it is" : wantedFor(pod.state);
    if (pod === undefined || wanted === "as it is") return false;
    const path = `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}`;
    const what = `the annotation ${KEY} of pod ${pod.namespace}/${pod.name}`;
    try {
      const { metadata } = podSchema.parse(await api.get(path, `reading ${what}`, signal));
      const has = metadata.annotations?.[KEY];
      // Another pod of that name, or one that its author keeps out in this very moment.
      if (metadata.uid !== uid || isSettled(has, wanted)) return false;
      // With the version that was read: whatever anybody has changed since then makes this a 409, and us read again.
      const patch = {
        resourceVersion: metadata.resourceVersion,
        annotations: { [KEY]: wanted === "enabled" ? wanted : null },
      };
      await api.mergePatch(`${path}/status`, { metadata: patch }, `writing ${what}`, signal);
      this.#written.set(uid, { wanted, at: performance.now() });
      return true;
    } catch (error) {
      if (error instanceof ApiStatusError && error.status === 404) return false;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writes[Symbol.asyncDispose]();
  }
}

/** There is nothing to write: it says so already, or somebody else has said something. */
const isSettled = (has: string | undefined, wanted: Wanted): boolean =>
  wanted === "as it is" || (has ?? "none") === wanted || (has !== undefined && has !== "enabled");

/** While something is under way, what was said last stands. */
function wantedFor(state: WorkloadState): Wanted {
  if (state === "pending" || state === "leaving") return "as it is";
  return state === "enrolled" ? "enabled" : "none";
}
