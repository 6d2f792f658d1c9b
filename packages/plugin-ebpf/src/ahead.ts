import type { ForeignObject } from "@millrace/core";
import type { HookState } from "./attachment.ts";
import { isShadowProgram, ourProgram } from "./our-programs.ts";

export type Ahead = Required<Pick<HookState, "ahead" | "isBehindOurs">>;

/** A program, or a filter of another kind, and how it is told of where it is somebody else's. */
interface Standing {
  readonly programId: number | undefined;
  readonly foreign: () => ForeignObject;
}

/**
 * What it means that these run before a program of ours. Those of a shadow are in nobody's way, because they let everything go on; one that
 * redirects is in the shadow's way: it would not see what that one takes.
 */
export function whatIsAhead(standing: readonly Standing[]): Ahead {
  const others = standing.filter(({ programId }) => programId === undefined || !isShadowProgram(programId));
  return {
    ahead: others.map(({ foreign }) => foreign()),
    isBehindOurs: others.some(({ programId }) => programId !== undefined && ourProgram(programId) !== undefined),
  };
}
