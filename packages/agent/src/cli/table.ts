import { stripVTControlCharacters } from "node:util";

/** One column: its heading, and whether numbers in it line up at the right. */
export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

const GAP = "  ";

const width = (text: string): number => stripVTControlCharacters(text).length;

/**
 * Lays out rows under headings, in the way of `kubectl get`: columns two spaces apart, no lines, no blanks at the end of a line.
 * Cells may carry colour; what a terminal does not show takes no room. Line breaks within a cell become spaces.
 *
 * @returns the lines joined by a line feed, with one at the end; empty text when there are no rows.
 */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const clean = rows.map((row) => columns.map((_, index) => (row[index] ?? "").replaceAll(/\s*\n\s*/g, " ")));
  const widths = columns.map((column, index) =>
    Math.max(width(column.title), ...clean.map((row) => width(row[index] ?? ""))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => {
        const padding = " ".repeat((widths[index] ?? 0) - width(cell));
        return columns[index]?.align === "right" ? padding + cell : cell + padding;
      })
      .join(GAP)
      .trimEnd();
  return `${[columns.map((column) => column.title), ...clean].map(line).join("\n")}\n`;
}
