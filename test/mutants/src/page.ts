import { OTHERS, renderMatrix, renderTotal } from "./matrix.ts";
import { type Found, isFull } from "./results.ts";

/** Between these lines of docs/conformance.md stands what full runs found. */
const BEGIN = "<!-- Written by `make test-mutants FULL=1`; do not edit. -->";
const END = "<!-- The end of what it writes. -->";

/** A failure may quote whole snapshots of a node. */
const MOST_CHARACTERS = 140;

/** What full runs found, in Markdown: each mutant with what its behaviour said, and the matrix. */
export function renderSection(found: readonly Found[]): string {
  const rows = found.map(({ number, behaviour, change, caught, failure, ...others }) => {
    const said = caught ? `\`${shortened(failure)}\`` : "**missed**";
    const passed = isFull(others) ? `${others.passed.length}` : "not run";
    return `| ${number} | \`${behaviour}\` | ${cell(change)} | ${said} | ${passed} |`;
  });
  const kernels = unique(found.map(({ kernel }) => `\`${kernel}\``)).join(", ");
  const days = unique(found.map(({ day }) => day)).sort();
  return [
    `From [mutants.json](mutants.json). Each against all numbered behaviours, its own over the family in which it shows, the others over IPv4 or the first they are meant for, cold, on Linux ${kernels}, ${days.join(", ")}:`,
    `**${renderTotal(found)}** (asked for: ${OTHERS}).`,
    "",
    "| | behaviour | the mutant | what its behaviour said | others passed |",
    "|---|---|---|---|---|",
    ...rows,
    "",
    "A mutant in a row, a behaviour in a column: `X` its own caught it, `?` missed it, `x` another failed too, `·` passed.",
    "",
    "```text",
    renderMatrix(found),
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

const unique = (texts: readonly string[]): string[] => [...new Set(texts)];

const cell = (text: string): string => text.replaceAll("|", "\\|");

const shortened = (text: string): string => {
  const line = cell(text.replaceAll("`", "'"));
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)} …` : line;
};
