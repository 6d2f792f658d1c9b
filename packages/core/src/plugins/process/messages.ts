import type { Host, NodePolicy } from "../../backend/contract.ts";
import type { IsolatedVerb } from "../deadlines.ts";

/** What the agent and the process of a plugin say to each other, by structured clone over the channel that Node makes for a child. */
export type ToPlugin =
  | {
      readonly kind: "call";
      readonly id: number;
      readonly verb: IsolatedVerb;
      readonly args: readonly unknown[];
      readonly deadlineMs: number;
    }
  | { readonly kind: "abort"; readonly id: number; readonly reason: Failure }
  /** What came of `carryOn`, which a call to hand over had asked for. */
  | { readonly kind: "answer"; readonly id: number; readonly failure?: Failure }
  /** The agent stops: see `PluginContext.signal`. */
  | { readonly kind: "stopping" };

export type FromPlugin =
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly failure: Failure }
  | { readonly kind: "ask"; readonly id: number; readonly call: number }
  | { readonly kind: "log"; readonly level: Level; readonly fields: object; readonly message: string }
  /** Its event loop turns. */
  | { readonly kind: "beat" }
  /** Something was thrown that nobody caught; the process ends. */
  | { readonly kind: "crash"; readonly failure: Failure };

export type Level = "debug" | "info" | "warn" | "error";

/** An error as text: classes do not cross the border. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** Argument of `create`. */
export interface ProcessContext {
  readonly config: unknown;
  readonly policy: NodePolicy;
  readonly host: Host;
}

/** Result of `load`. */
export interface Loaded {
  readonly name: string;
  readonly description: string;
  readonly apiVersion: number;
}

/** A network namespace as it crosses the border: the path of a file, because a descriptor does not. */
export interface PlaceByPath {
  readonly path: string | undefined;
  readonly name: string;
}
