import type { Probe } from "@millrace/core";
import type { Finding } from "./check.ts";

/** What one backend says of this host. */
export interface BackendDiagnosis {
  readonly name: string;
  readonly description: string;
  /** Absent when probing failed; then `error` says how. */
  readonly probe?: Probe;
  readonly error?: { readonly code: string; readonly message: string };
}

/** The shape of `millrace doctor --json`. Stable: fields are only ever added. */
export interface Diagnosis {
  readonly host: readonly Finding[];
  readonly backends: readonly BackendDiagnosis[];
  readonly selection: {
    /** `redirectMode` as configured. */
    readonly mode: string;
    /** The backend the agent would take; absent when there is none. */
    readonly backend?: string;
    /** Why that one, and why not the ones before it. */
    readonly reason: string;
  };
}
