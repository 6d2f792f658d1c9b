import type { ReplayResult } from "@millrace/core/internal";
import type { Palette } from "../cli/colour.ts";

/** What a replay came to, for people. `name`: of the log, where there are several. */
export function renderResult(
  { events, intents, snapshots, differences, skipped }: ReplayResult,
  palette: Palette,
  name?: string,
): string {
  const lines = [
    `${plural(events, "event")} replayed: ${plural(intents, "intent")} and ${plural(snapshots, "snapshot")} the same, byte for byte`,
  ];
  for (const { from, to } of skipped) {
    const which = from === to ? `event ${from} is` : `events ${from} to ${to} are`;
    lines.push(
      palette.warn(
        `${which} not compared: rows before it are missing or could not be read, and no snapshot followed yet`,
      ),
    );
  }
  lines.push(
    differences.length === 0
      ? palette.good("same decisions")
      : palette.bad(`${plural(differences.length, "difference")}`),
  );
  const prefix = name === undefined ? "" : `${name}: `;
  return lines.map((line) => `${prefix}${line}\n`).join("");
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
