import type { LogLimits } from "./limits.ts";
import type { LogRow } from "./schema.ts";

/** What the log and its writer thread say to each other. */

export interface WriterOptions {
  readonly path: string;
  /** How long SQLite waits for another process's lock before it gives up, in milliseconds. */
  readonly busyTimeoutMs: number;
  readonly limits: LogLimits;
}

export type ToWriter =
  | { readonly kind: "append"; readonly id: number; readonly rows: readonly LogRow[] }
  /** Opens the file again after a failure. */
  | { readonly kind: "open" }
  | { readonly kind: "close" };

export type FromWriter =
  /** `lastSeq` is the highest `seq` in the file; `movedTo` is where a damaged file was put. */
  | { readonly kind: "opened"; readonly lastSeq: number; readonly movedTo?: string; readonly damage?: string }
  | { readonly kind: "refused"; readonly code: "ERR_LOG_NEWER_SCHEMA" | "ERR_LOG_FOREIGN"; readonly message: string }
  | { readonly kind: "open-failed"; readonly reason: string }
  | { readonly kind: "committed"; readonly ids: readonly number[] }
  | { readonly kind: "failed"; readonly ids: readonly number[]; readonly reason: string }
  | { readonly kind: "closed" };
