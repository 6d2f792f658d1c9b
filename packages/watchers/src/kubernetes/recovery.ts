import { WatcherError } from "../errors.ts";
import { ApiStatusError } from "./api-errors.ts";

/** The watch was open, and brought nothing for too long. */
export function isQuiet(error: unknown): boolean {
  return error instanceof WatcherError && error.code === "ERR_KUBERNETES_QUIET";
}

/** How far a round had come when it ended: nothing was open, the watch was. */
export type Phase = "list" | "open" | "watching";

/** How to go on after a round of list and watch. */
export interface Recovery {
  /** Where the next round begins: at the version we have, with a list no older than it, or with whatever etcd has now. */
  readonly from: "resume" | "relist" | "newest";
  /** We do not see what happens, and others have to know. */
  readonly lost: boolean;
  /** Which pauses apply. */
  readonly pause: "away" | "refused";
}

/**
 * What the end of a round means. `error` is undefined when the API server ended the watch as agreed; `proven` when a list, or what came
 * since the watch was resumed, shows that the server has seen our version. Pure.
 */
export function recoveryFrom(error: unknown, phase: Phase, proven: boolean): Recovery {
  const blind = phase !== "watching";
  if (error === undefined) return { from: "resume", lost: false, pause: "away" };
  if (error instanceof ApiStatusError) {
    const { isAboutVersion, status } = error;
    // A list refuses a version for which it would have to wait too long, or which no server has: only what there is now can help.
    if (isAboutVersion) return { from: phase === "list" ? "newest" : "relist", lost: phase === "list", pause: "away" };
    // An ERROR event would come again after the same version.
    const from = phase === "watching" ? "relist" : "resume";
    return { from, lost: blind, pause: status === 401 || status === 403 || status >= 429 ? "refused" : "away" };
  }
  const code = error instanceof WatcherError ? error.code : undefined;
  if (code === "ERR_KUBERNETES_ANSWER") return { from: "relist", lost: blind, pause: "refused" };
  // From a version that it has not seen an API server watches without a word, until its count has come so far (`pkg/storage/cacher`,
  // `getAllEventsSinceLocked`): etcd was restored from a backup. A list tells.
  if (isQuiet(error) && !proven) return { from: "relist", lost: false, pause: "away" };
  // Nobody knows for how long a connection without a sign of life has been showing us nothing. A quiet watch is most often just that:
  // kube-apiserver sends no bookmarks before the first event of a resource (`pkg/storage/cacher`, `lastProcessedResourceVersion`).
  return { from: "resume", lost: blind || code === "ERR_KUBERNETES_SILENT", pause: "away" };
}
