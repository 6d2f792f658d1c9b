import { FIGURES } from "./loads.ts";
import type { Row, RowCell } from "./rows.ts";
import type { Spread } from "./spread.ts";

const WHERE = {
  light: "",
  haproxy: "HAProxy and nginx, ",
  "one-cpu": "one processor",
  "any-cpu": "any processor",
  "same-node": "one node",
  "two-nodes": "two nodes",
} as const;

/** A Markdown table of rows under the same circumstances: a line for each load, a column for each mode. */
export function table(rows: readonly Row[]): string {
  const modes = [...new Set(rows.flatMap(({ cells }) => cells.map(({ mode }) => mode)))];
  const lines = rows.map((row) => {
    const cells = modes.map((mode) => cellText(row.cells.find((cell) => cell.mode === mode)));
    const invalid = row.invalid === undefined ? "" : ` **invalid**: ${row.invalid}`;
    return [`${row.load.name}, ${FIGURES[row.load.figure]}${invalid}`, ...cells];
  });
  return [["load", ...modes], modes.concat("").map(() => "---"), ...lines].map(line).join("\n");
}

/** All rows, a table under a heading for each of their circumstances. */
export function tables(rows: readonly Row[]): string {
  return [...Map.groupBy(rows, ({ rig, pinning, path }) => `${WHERE[rig]}${WHERE[pinning]}, ${WHERE[path]}`)]
    .map(([where, rows]) => `### ${sentence(where)}\n\n${table(rows)}`)
    .join("\n\n");
}

/** Three digits that count: more would say what the spread takes back. */
export function figure(value: number): string {
  if (value >= 100) return Number(value.toPrecision(3)).toLocaleString("en");
  return value.toPrecision(3);
}

export const spreadText = ({ median, min, max }: Spread): string =>
  `${figure(median)} [${figure(min)} … ${figure(max)}]`;

function cellText(cell: RowCell | undefined): string {
  if (cell === undefined) return "–";
  return `${spreadText(cell.value)} · ${(cell.clientShare * 100).toFixed(0)} % · ${figure(cell.cpuPerRequest)} µs`;
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
