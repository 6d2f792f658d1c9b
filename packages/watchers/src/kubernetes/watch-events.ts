import { z } from "zod";
import { WatcherError } from "../errors.ts";
import type { ApiClient } from "./api-client.ts";
import { eventError, notUnderstood } from "./api-errors.ts";
import { readLines } from "./read-lines.ts";
import type { WatchedResource } from "./watched-resource.ts";

/** etcd takes objects of 1.5 MiB (`--max-request-bytes`), which JSON may make several times larger. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const event = z.object({
  type: z.enum(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]),
  object: z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string().optional() }).optional() }),
});

/** One line of a watch, as the API server sends it ("API Concepts", "Efficient detection of changes"). */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: Readonly<Record<string, unknown>>;
  /** From where a watch that begins after this event goes on. */
  readonly resourceVersion: string | undefined;
}

export interface WatchRequest {
  readonly client: ApiClient;
  readonly resource: WatchedResource;
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
  readonly silenceMs: number;
  readonly signal: AbortSignal;
  /** The API server has agreed: from now on it tells of every change. */
  readonly onOpen: () => void;
}

/**
 * The events of one watch request, until the API server ends it. Throws what {@link ApiClient.get} rejects with; ERR_KUBERNETES_STATUS for
 * an ERROR event; ERR_KUBERNETES_QUIET after `silenceMs` without a line; ERR_KUBERNETES_ANSWER; or why the connection broke.
 */
export async function* watchEvents(request: WatchRequest): AsyncGenerator<WatchEvent> {
  const { client, resource, silenceMs, signal, onOpen } = request;
  const what = `a watch of ${resource.path}`;
  const body = await client.get(`${resource.path}?${queryOf(request)}`, what, signal);
  onOpen();
  const timer = setTimeout(() => {
    body.destroy(new WatcherError("ERR_KUBERNETES_QUIET", `${what} brought nothing for ${silenceMs} ms`));
  }, silenceMs);
  try {
    for await (const line of readLines(body, what, MAX_LINE_BYTES)) {
      timer.refresh();
      yield parseEvent(line, what);
    }
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

function queryOf({ resource, resourceVersion, timeoutSeconds }: WatchRequest): URLSearchParams {
  return new URLSearchParams({
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion,
    timeoutSeconds: String(timeoutSeconds),
    ...(resource.fieldSelector !== undefined && { fieldSelector: resource.fieldSelector }),
  });
}

function parseEvent(line: string, what: string): WatchEvent {
  const { type, object } = understood(line, what);
  if (type === "ERROR") throw eventError(what, object);
  return { type, object, resourceVersion: object.metadata?.resourceVersion };
}

function understood(line: string, what: string): z.output<typeof event> {
  try {
    return event.parse(JSON.parse(line));
  } catch (cause) {
    throw notUnderstood(what, cause);
  }
}
