import type { Readable } from "node:stream";

/** The head of an answer, and its body, unread. Destroying the body ends the request. */
export interface ApiResponse {
  readonly status: number;
  /** From the header `Retry-After`. */
  readonly retryAfterMs: number | undefined;
  readonly body: Readable;
}

/** `Retry-After` in seconds (RFC 9110, 10.2.3), as the API server sends it; a date, which it never sends, is not read. */
export function retryAfterMs(header: unknown): number | undefined {
  return typeof header === "string" && /^\d{1,5}$/.test(header) ? Number(header) * 1000 : undefined;
}
