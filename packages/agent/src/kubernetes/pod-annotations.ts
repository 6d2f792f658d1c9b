import { ANNOTATIONS, type State } from "@millrace/core/internal";
import { ApiStatusError, type KubernetesApi } from "@millrace/watchers";
import { z } from "zod";
import type { Logger } from "../logging/logger.ts";
import type { WorkloadState, WorkloadStatus } from "../status/status-document.ts";
import { ApiWrites } from "./api-writes.ts";

/** Says of a pod that its traffic is captured, as istio-cni of ambient 1.18 to 1.20 has it (`cni/pkg/ambient/constants`). */
const KEY = ANNOTATIONS.ambientRedirection;
type Wanted = "enabled" | "none" | "as it is";

export type AnnotatedPod = Pick<WorkloadStatus, "uid" | "namespace" | "name" | "state">;

export interface PodAnnotationsOptions {
  readonly api: Pick<KubernetesApi, "get" | "mergePatch">;
  readonly log: Logger;
}

/** What is known at one moment. */
export interface AnnotationFacts {
  readonly workloads: readonly AnnotatedPod[];
  /** As the API server was last heard to have them. */
  readonly pods: State["pods"];
  /** The kernel was read by this run, or could not be: until then what an earlier one said stands. */
  readonly kernelIsKnown: boolean;
}

/** What is under way for longer does not come to its end, and must not be said to be there. */
const UNDER_WAY_MS = 10_000;

/** A write whose echo does not come for so long did not stay: it is looked at again. */
const ECHO_MS = 60_000;

interface Known {
  readonly namespace: string;
  readonly name: string;
  readonly state: WorkloadState;
  /** When it came to be in this state. */
  readonly since: number;
  wanted: Wanted;
  /** Our last write, until the watch tells of it. */
  written: { readonly wanted: Wanted; readonly at: number } | undefined;
}

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
  readonly #known = new Map<string, Known>();

  constructor(options: PodAnnotationsOptions) {
    this.#options = options;
    const write = (uid: string, signal: AbortSignal) => this.#write(uid, signal);
    // A pod that the kubelet changes meanwhile is read again soon.
    const backoff = { baseMs: 250, capMs: 300_000 };
    this.#writes = new ApiWrites({ kind: "annotation", log: options.log, write, backoff });
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#writes.counts;
  }

  /** Compares what is with what the API server was last heard to have. `now` is in milliseconds of any steady clock. */
  look({ workloads, pods, kernelIsKnown }: AnnotationFacts, now: number): void {
    const present = new Set<string>();
    for (const workload of workloads) {
      const { uid } = workload;
      const pod = pods.get(uid);
      if (pod === undefined || pod.terminating) continue;
      present.add(uid);
      const known = this.#know(workload, now);
      known.wanted = kernelIsKnown ? wantedFor(workload.state, now - known.since) : "as it is";
      if (isSettled(pod.annotations[KEY], known.wanted)) known.written = undefined;
      else if (known.written?.wanted !== known.wanted || now - known.written.at > ECHO_MS) this.#writes.add(uid);
    }
    for (const uid of this.#known.keys()) if (!present.has(uid)) this.#known.delete(uid);
  }

  #know(workload: AnnotatedPod, now: number): Known {
    const { uid, namespace, name, state } = workload;
    const before = this.#known.get(uid);
    if (before?.state === state) return before;
    const known: Known = { namespace, name, state, since: now, wanted: "as it is", written: before?.written };
    this.#known.set(uid, known);
    return known;
  }

  async #write(uid: string, signal: AbortSignal): Promise<boolean> {
    const { api } = this.#options;
    const known = this.#known.get(uid);
    if (known === undefined || known.wanted === "as it is") return false;
    const { namespace, name, wanted } = known;
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    const what = `the annotation ${KEY} of pod ${namespace}/${name}`;
    try {
      const { metadata } = podSchema.parse(await api.get(path, `reading ${what}`, signal));
      // Another pod of that name, or one that its author keeps out in this very moment.
      if (metadata.uid !== uid || isSettled(metadata.annotations?.[KEY], wanted)) return false;
      const patch = {
        // Whatever anybody has changed since it was read makes this a 409, and us read again ("API Concepts", "Resource versions").
        resourceVersion: metadata.resourceVersion,
        annotations: { [KEY]: wanted === "enabled" ? wanted : null },
      };
      await api.mergePatch(`${path}/status`, { metadata: patch }, `writing ${what}`, signal);
      known.written = { wanted, at: performance.now() };
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

/** While something is under way, or cannot be seen, what was said last stands for a while; while it is taken away, until it is gone. */
function wantedFor(state: WorkloadState, forMs: number): Wanted {
  if (state === "leaving" || ((state === "pending" || state === "unseen") && forMs < UNDER_WAY_MS)) return "as it is";
  return state === "enrolled" ? "enabled" : "none";
}
