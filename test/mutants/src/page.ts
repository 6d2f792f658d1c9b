import type { Catch } from "./catch-mutant.ts";
import { OTHERS, renderMatrix, renderTotal } from "./matrix.ts";

/** Between these lines of docs/conformance.md stands what a full run found. */
const BEGIN = "<!-- Written by `make test-mutants FULL=1`; do not edit. -->";
const END = "<!-- The end of what it writes. -->";

/** A failure may quote whole snapshots of a node. */
const MOST_CHARACTERS = 140;

/** Of a run: `uname -r`, and the day as `2026-11-22`. */
export interface Ran {
  readonly kernel: string;
  readonly day: string;
}

/** What a full run found, in Markdown: each mutant with what its behaviour said, and the matrix. */
export function renderSection(catches: readonly Catch[], { kernel, day }: Ran): string {
  const sorted = [...catches].sort((a, b) => a.number - b.number);
  const rows = sorted.map(({ number, behaviour, change, caught, failure }) => {
    const said = caught ? `\`${shortened(failure)}\`` : "**missed**";
    return `| ${number} | \`${behaviour}\` | ${cell(change)} | ${said} |`;
  });
  return [
    `Each against all numbered behaviours, its own over the family in which it shows, the others over IPv4 or the first they are meant for, cold, on Linux \`${kernel}\`, ${day}:`,
    `**${renderTotal(catches)}** (asked for: ${OTHERS}).`,
    "",
    "| | behaviour | the mutant | what its behaviour said |",
    "|---|---|---|---|",
    ...rows,
    "",
    "A mutant in a row, a behaviour in a column: `X` its own caught it, `?` missed it, `x` another failed too, `·` passed.",
    "",
    "```text",
    renderMatrix(catches),
    "```",
  ].join("\n");
}

/** The page with this between the two lines that are there for it. Throws where they are not. */
export function withSection(page: string, section: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) {
    throw new RangeError(`the page has no place for what the mutants showed: it takes the lines ${BEGIN} and ${END}`);
  }
  return `${page.slice(0, begin + BEGIN.length)}\n\n${section}\n\n${page.slice(end)}`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

const shortened = (text: string): string => {
  const line = cell(text.replaceAll("`", "'"));
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)} …` : line;
};
