import type { Tally } from "./fuzz.ts";
import { ROW_IDS, rowOf } from "./rows.ts";

/** Frames that are a member's TCP by the oracle, of all: 0 to 1. */
export function tcpShare({ rows, frames }: Tally): number {
  const tcp = ROW_IDS.filter((row) => rowOf(row).tcp === "yes").reduce((sum, row) => sum + (rows.get(row) ?? 0), 0);
  return frames === 0 ? 0 : tcp / frames;
}

/** How many frames each row had. */
export function histogram({ rows, frames }: Tally): string {
  const lines = ROW_IDS.map((id) => {
    const { fate, shape, tcp } = rowOf(id);
    const count = rows.get(id) ?? 0;
    const share = `${((100 * count) / frames).toFixed(1)} %`;
    return `${String(count).padStart(9)} ${share.padStart(7)}  ${fate.padEnd(19)} tcp ${tcp.padEnd(6)} ${shape}`;
  });
  return lines.join("\n");
}

/** The last line of a run. */
export function summary({ frames, kinds }: Tally): string {
  const count = (kind: "escaped" | "over-captured" | "mistaken") => kinds.get(kind) ?? 0;
  const rest = (["over-captured", "mistaken"] as const)
    .filter((kind) => count(kind))
    .map((kind) => `, ${count(kind)} ${kind}`);
  return `fuzz: ${frames} frames, ${count("escaped")} escaped${rest.join("")}`;
}

/** A line for corpus.json stands below each, to be given a name. */
export const findings = (tally: Tally): string =>
  tally.findings
    .map(
      ({ kind, program, row, seed, what, frame }) => `${kind}: ${program}, ${row}, seed ${seed}: ${what}\n  ${frame}`,
    )
    .join("\n");
