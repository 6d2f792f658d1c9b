import type { Backoff } from "@millrace/core/internal";

/** Every wait of the Kubernetes watcher, in milliseconds. */
export interface ApiTiming {
  /** Longest that opening a connection may take, handshakes included. */
  readonly connectMs: number;
  /** Longest wait for the beginning of an answer, or for more of a list. */
  readonly answerMs: number;
  /** A connection that brought nothing for so long is asked for a sign of life (an HTTP/2 PING). */
  readonly pingAfterMs: number;
  /** Longest that this sign of life may take. */
  readonly pingAnswerMs: number;
  /** Longest that one watch request is to stay open; told to the API server. */
  readonly watchMs: number;
  /** A watch that brings neither an event nor a bookmark for so long is ended and resumed. */
  readonly silenceMs: number;
  /** After so long everything is listed again, whatever the watch says. */
  readonly relistMs: number;
  /** A watch that was open for so long has recovered from earlier failures. */
  readonly recoveredMs: number;
  /** Pauses while the API server cannot be reached. Trying costs it nothing, and pods wait for it. */
  readonly away: Backoff;
  /** Pauses while the API server answers that it cannot, or will not: it may have too much to do. */
  readonly refused: Backoff;
}

/**
 * client-go pings after 30 s and waits 15 s (k8s.io/apimachinery `pkg/util/net/http.go`); members wait for this node's agent, so ours are
 * shorter: a frozen or cut-off API server is noticed within 2 × `pingAfterMs` + `pingAnswerMs` = 20 s. kube-apiserver sends bookmarks
 * once a minute (k8s.io/apiserver `pkg/storage/cacher/cacher.go`, `defaultBookmarkFrequency`), so less silence than that means nothing.
 */
export const DEFAULT_TIMING: ApiTiming = {
  connectMs: 8_000,
  answerMs: 30_000,
  pingAfterMs: 5_000,
  pingAnswerMs: 10_000,
  watchMs: 300_000,
  silenceMs: 90_000,
  relistMs: 3_600_000,
  recoveredMs: 10_000,
  away: { baseMs: 250, capMs: 4_000 },
  refused: { baseMs: 1_000, capMs: 30_000 },
};
