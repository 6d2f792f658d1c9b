import type { Replay } from "@millrace/core";
import type { Palette } from "../cli/colour.ts";

/** What a replay found, for people: the counts, what could not be replayed, and each place where the decisions differ. */
export function renderReplay({ inputs, intents, divergences, skipped }: Replay, palette: Palette): string {
  const lines = [`${inputs} inputs replayed, ${intents} intents decided again as recorded`];
  for (const { from, to } of skipped) {
    lines.push(
      palette.warn(`events from ${from} ${to === undefined ? "on" : `to ${to}`} cannot be replayed: some are missing`),
    );
  }
  for (const { cause, recorded, decided } of divergences) {
    lines.push(palette.bad(`event ${cause} was answered otherwise:`));
    lines.push(...recorded.map((intent) => `  recorded ${intent}`), ...decided.map((intent) => `  decided  ${intent}`));
  }
  lines.push(
    divergences.length === 0 ? palette.good("same decisions") : palette.bad(`${divergences.length} decisions differ`),
  );
  return `${lines.join("\n")}\n`;
}
