import type { ForeignObject } from "@millrace/core";
import { IptablesError } from "../errors.ts";

/** Something of somebody else that stands where the configuration puts an object of ours, or that uses what ours use. */
export interface Clash extends ForeignObject {
  /** The setting that avoids it; undefined: no setting does, and nothing is refused for it. It is reported. */
  readonly setting: string | undefined;
}

/** Throws `ERR_CLASH` with every clash that a setting avoids: each with the object, its place, its owner and the setting. */
export function refuseClashes(clashes: readonly Clash[]): void {
  const refused = clashes.filter(({ setting }) => setting !== undefined);
  if (refused.length === 0) return;
  throw new IptablesError(
    "ERR_CLASH",
    `nothing was written, because somebody else is there already. ${refused.map(describeClash).join(" ")}`,
  );
}

export function describeClash({ kind, where, owner, effect, setting }: Clash): string {
  const advice = setting === undefined ? "" : ` Change ${setting}, or remove what is not needed any more.`;
  return `${kind} ${where} of ${owner}: ${effect}.${advice}`;
}
