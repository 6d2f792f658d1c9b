import type { Difference } from "@millrace/core/internal";
import type { Palette } from "../cli/colour.ts";

/** So much of a line on either side of the first byte that differs. */
const CONTEXT = 60;
const LONG = 400;

/** A place where the replay and the log part, for people: where, why, and both sides of it. */
export function renderDifference(difference: Difference, palette: Palette): string {
  return `${[palette.bad(headline(difference)), ...sides(difference)].join("\n")}\n`;
}

export function headline({ kind, seq, cause }: Difference): string {
  switch (kind) {
    case "missing":
      if (cause === undefined) return `event ${seq} and what followed it are missing: the log was cut off`;
      if (cause.seq <= seq) return `event ${cause.seq} is out of order`;
      return `event${cause.seq - 1 > seq ? `s ${seq} to ${cause.seq - 1} are` : ` ${seq} is`} missing, and no log.gap counts as many`;
    case "snapshot":
      return `event ${seq} differs: the state at this snapshot is another one`;
    case "intents": {
      const because =
        cause === undefined || cause.seq === seq
          ? ""
          : ` (because of event ${cause.seq}, ${cause.type} ${cause.subject})`;
      return `event ${seq} differs: it is decided otherwise${because}`;
    }
  }
}

function sides({ recorded, decided }: Difference): string[] {
  const lines: string[] = [];
  for (let index = 0; index < Math.max(recorded.length, decided.length); index++) {
    const [then, now] = [recorded[index], decided[index]];
    if (then === now) continue;
    const at = then === undefined || now === undefined ? 0 : firstDifference(then, now);
    lines.push(`  recorded ${then === undefined ? "nothing" : excerpt(then, at)}`);
    lines.push(`  decided  ${now === undefined ? "nothing" : excerpt(now, at)}`);
    if (then !== undefined && now !== undefined)
      lines.push(`  ${"".padEnd(9 + caret(then, at))}^ byte ${bytes(then, at)}`);
  }
  return lines;
}

function firstDifference(a: string, b: string): number {
  let index = 0;
  while (index < a.length && a[index] === b[index]) index++;
  return index;
}

/** Where in the row's line as a file has it, counted from 0. */
function bytes(line: string, at: number): number {
  return Buffer.byteLength(line.slice(0, at));
}

/** A snapshot has the whole state on one line. */
function excerpt(line: string, at: number): string {
  if (line.length <= LONG) return line;
  const from = Math.max(0, at - CONTEXT);
  return `${from > 0 ? "…" : ""}${line.slice(from, at + CONTEXT)}${at + CONTEXT < line.length ? "…" : ""}`;
}

function caret(line: string, at: number): number {
  return line.length <= LONG || at <= CONTEXT ? at : CONTEXT + 1;
}
