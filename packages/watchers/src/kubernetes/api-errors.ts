import { errorMessage } from "@millrace/core/internal";
import { z } from "zod";
import { WatcherError } from "../errors.ts";

/** The API server's answer when it refuses: HTTP status and `Status` object (apimachinery meta/v1). */
export class ApiStatusError extends WatcherError {
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(what: string, status: number, said: string, retryAfterMs?: number) {
    super("ERR_KUBERNETES_STATUS", `${what} was refused with status ${status}${hintOf(status)}: ${said}`);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /**
   * What we know is too old, or comes from a future that this server has not seen (it was restored from a backup).
   * 504 has many reasons; apiserver `pkg/storage/errors.go` gives this one these words.
   */
  get isAboutVersion(): boolean {
    return (
      this.status === 410 ||
      this.status === 400 ||
      (this.status === 504 && /too large resource version/i.test(this.message))
    );
  }
}

const statusObject = z.object({
  code: z.int(),
  message: z.string().optional(),
  reason: z.string().optional(),
  details: z.object({ retryAfterSeconds: z.int().nonnegative().optional() }).optional(),
});

/** What a `Status` object says, in words; of anything else, its beginning. */
export function wordsOf(body: string): string {
  const status = parseStatus(body);
  return status?.message ?? status?.reason ?? (body.trim().slice(0, 200) || "nothing more was said");
}

/** The error that an event of type ERROR carries. */
export function eventError(what: string, object: unknown): WatcherError {
  const { data } = statusObject.safeParse(object);
  if (data === undefined) return notUnderstood(what, new Error("an ERROR event without a Status"));
  const { code, message, reason, details } = data;
  // There is no header here that could say it.
  const retryAfterMs = details?.retryAfterSeconds === undefined ? undefined : details.retryAfterSeconds * 1000;
  return new ApiStatusError(what, code, message ?? reason ?? "nothing more was said", retryAfterMs);
}

export function unreachable(server: URL, cause: unknown): WatcherError {
  if (cause instanceof WatcherError) return cause;
  const message = `the API server ${server.origin} cannot be reached: ${errorMessage(cause)}`;
  return new WatcherError("ERR_KUBERNETES_UNREACHABLE", message, { cause });
}

export function notUnderstood(what: string, cause: unknown): WatcherError {
  return new WatcherError(
    "ERR_KUBERNETES_ANSWER",
    `the answer to ${what} cannot be understood: ${errorMessage(cause)}`,
    {
      cause,
    },
  );
}

function parseStatus(body: string): z.output<typeof statusObject> | undefined {
  try {
    return statusObject.safeParse(JSON.parse(body)).data;
  } catch {
    // Whatever stands between us and the API server answers in its own words.
    return undefined;
  }
}

function hintOf(status: number): string {
  if (status === 401) return " (the credentials are not valid; are they expired?)";
  if (status === 403) return " (the role of the agent lacks a rule for it)";
  return "";
}
