import type { Verdicts } from "../support/datapath.ts";
import { PROGRAMS, VERDICTS } from "../support/layout.ts";
import { REACHABLE } from "./reachable.ts";

export interface Coverage {
  /** How often each program came to each verdict, as text. */
  readonly table: string;
  /** `program.verdict` that no test came to. */
  readonly missing: readonly string[];
  /** `program.verdict` that a test came to though no program should. */
  readonly unknown: readonly string[];
}

const NAME_WIDTH = 22;
const COLUMN_WIDTH = 16;

export function coverageOf(notes: readonly Verdicts[]): Coverage {
  const count = (name: keyof Verdicts) => notes.reduce((sum, verdicts) => sum + (verdicts[name] ?? 0), 0);
  const missing: string[] = [];
  const unknown: string[] = [];
  const lines = [`${"".padEnd(NAME_WIDTH)}${PROGRAMS.map((program) => program.padStart(COLUMN_WIDTH)).join("")}`];
  for (const verdict of VERDICTS) {
    const cells = PROGRAMS.map((program) => {
      const name = `${program}.${verdict}` as const;
      const times = count(name);
      const isReachable = REACHABLE[program].includes(verdict);
      if (isReachable && times === 0) missing.push(name);
      if (!isReachable && times > 0) unknown.push(name);
      return isReachable || times > 0 ? String(times || "NEVER") : "";
    });
    lines.push(`${verdict.padEnd(NAME_WIDTH)}${cells.map((cell) => cell.padStart(COLUMN_WIDTH)).join("")}`);
  }
  return { table: lines.join("\n"), missing, unknown };
}
