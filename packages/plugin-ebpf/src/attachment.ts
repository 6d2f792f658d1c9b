import type { ForeignObject } from "@millrace/core";
import type { BpfProgram } from "libbpf-ts";
import type { ProgramName, ShadowProgramName } from "./layout.ts";

export type Direction = "ingress" | "egress";

/** One place a program of ours has to be: an interface, a direction, and the directory in bpffs that notes what is attached there. */
export interface Hook {
  /** Descriptor of the interface's network namespace; undefined: the node's. */
  readonly netns: number | undefined;
  readonly ifindex: number;
  /** For messages. */
  readonly ifName: string;
  readonly direction: Direction;
  readonly program: ProgramName | ShadowProgramName;
  readonly directory: string;
  /** Where the shadow, or what it shadows, has its notes of the same interface: whoever goes first leaves a qdisc of ours to the other. */
  readonly other?: string;
}

/** What the kernel runs at a hook. */
export interface HookState {
  /** Id of our program there; undefined when it is not attached. */
  readonly programId: number | undefined;
  /** Programs of others that run before ours and could end the chain. Empty when ours is not attached. */
  readonly ahead: readonly ForeignObject[];
  /** A program of ours that redirects runs before this one. */
  readonly isBehindOurs?: boolean;
}

/** `kept`: was there already. `updated`: another version of our program was there and was replaced in one step. */
export type Attached = "kept" | "updated" | "attached";

/** A way to attach programs to an interface. All calls are idempotent and leave everything of others alone. */
export interface Attachment {
  readonly mode: "tcx" | "clsact";
  /** Makes `program` run at the hook, before all others as far as the mode can. A program of ours that runs there is never taken off in between. */
  ensure(hook: Hook, program: BpfProgram): Promise<Attached>;
  /** Ends what `ensure` did. Success when it, or the whole interface, is gone. */
  detach(hook: Hook): Promise<void>;
  inspect(hook: Hook): HookState;
  /** The same for what is read while pods are being made: whoever has to wait for rtnetlink's lock there waits on a pool thread, where the mode can. */
  inspectAsync(hook: Hook): Promise<HookState>;
  /** Whether this mode has been used at the hook, by its pin or note. */
  isNoted(hook: Hook): boolean;
}

export function placeOf(hook: Hook): string {
  return `${hook.ifName} ${hook.direction}`;
}

/** The part of a hook that names its place to the kernel. */
export function targetOf({ netns, ifindex, direction }: Hook) {
  return { ifindex, direction, ...(netns === undefined ? {} : { netns }) };
}

/** A program of somebody else that the kernel runs before ours. */
export function shadow(kind: string, where: string, owner: string, ours: string): ForeignObject {
  return { kind, where, owner, effect: `runs before ${ours} and could end the chain` };
}
