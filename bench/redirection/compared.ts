import type { Mode } from "./modes.ts";
import type { Plan } from "./plan.ts";
import { RATIOS, type Ratio, ratioLine, ratios } from "./ratios.ts";
import type { Sample } from "./sample.ts";

/** What the modes of another commit are called beside those of this one. */
const OTHER = "@base";

/** So much worse a ratio may be than the other commit's worst. */
export const TOLERANCE = 0.15;

/** One ratio of this commit and of another, taken in the same repetitions. */
export interface Compared {
  readonly name: string;
  readonly now: Ratio;
  readonly base: Ratio;
  /** In every repetition by more than {@link TOLERANCE} beyond all that the other commit came to. */
  readonly isWorse: boolean;
}

/** A plan's modes, and those that Millrace has a part in once more, with the `millrace` of another commit. */
export function withBase(plan: Plan, millrace: readonly string[]): Plan {
  const base = plan.modes
    .filter(({ backend }) => backend !== undefined)
    .map((mode): Mode => ({ ...mode, name: mode.name + OTHER, millrace }));
  return { ...plan, modes: [...plan.modes, ...base] };
}

/** The ratios that Millrace has a part in. What it has none in was measured once, for both. */
export function compare(samples: readonly Sample[]): Compared[] {
  const isOther = ({ mode }: Sample) => mode.endsWith(OTHER);
  const other = samples.filter(isOther).map((sample) => ({ ...sample, mode: sample.mode.slice(0, -OTHER.length) }));
  const twice = new Set(other.map(({ mode }) => mode));
  const own = samples.filter((sample) => !isOther(sample));
  const shared = own.filter(({ mode }) => !twice.has(mode));
  const before = new Map(ratios([...shared, ...other]).map((ratio) => [ratio.name, ratio]));
  return ratios(own).flatMap((now) => {
    const kind = RATIOS.find(({ name }) => name === now.name);
    const base = before.get(now.name);
    if (kind === undefined || base === undefined || !(twice.has(kind.of) || twice.has(kind.to))) return [];
    return [{ name: now.name, now, base, isWorse: isWorse(now, base, kind.load.figure === "p75") }];
  });
}

function isWorse(now: Ratio, base: Ratio, isLatency: boolean): boolean {
  // That a mode cannot keep up is a matter of the machine: the line says so.
  if (now.spread === undefined || base.spread === undefined) return false;
  const { min, max } = base.spread;
  return now.each.every((value) => (isLatency ? value > max * (1 + TOLERANCE) : value < min * (1 - TOLERANCE)));
}

/** Both lines, as `make bench` ends with, and the verdict. */
export function comparedText({ now, base, isWorse: worse }: Compared): string {
  return [
    ratioLine(now),
    `      before: ${ratioLine(base)}`,
    ...(worse ? ["      WORSE in every repetition"] : []),
  ].join("\n");
}
