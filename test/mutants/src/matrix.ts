import type { Catch } from "./catch-mutant.ts";
import { isFull } from "./results.ts";

/** How many others a mutant has to pass: one that is wrong everywhere would show nothing of its behaviour. */
export const OTHERS = 25;

/** Whether its behaviour caught it and, where the others were run, enough of these passed. */
export const isGood = (one: Catch): boolean => one.caught && (!isFull(one) || one.passed.length >= OTHERS);

/** One line for a mutant, as it ends. */
export function renderCatch({ number, behaviour, where, caught, failure, passed, failed, change }: Catch): string {
  const others = !isFull({ passed, failed }) ? "" : `, passes ${passed.length} others`;
  const but = failed.length === 0 ? "" : `, fails ${failed.join(", ")}`;
  const head = `${caught ? "caught" : "MISSED"}  ${String(number).padStart(2)}  ${behaviour} (${where})${others}${but}`;
  return [head, `            wrong: ${change}`, ...(failure === "" ? [] : [`            seen:  ${failure}`])].join(
    "\n",
  );
}

/** The matrix: a mutant in a row, a behaviour in a column: `x` failed, `·` passed. */
export function renderMatrix(catches: readonly Catch[]): string {
  const sorted = [...catches].sort((a, b) => a.number - b.number);
  const numbers = new Map(sorted.map(({ behaviour, number }) => [behaviour, number]));
  const columns = [...numbers.values()];
  const width = Math.max(...sorted.map(({ behaviour }) => behaviour.length)) + 4;
  const head = `${"    mutant".padEnd(width)} ${columns.map((column) => String(column).padStart(3)).join("")}`;
  const rows = sorted.map((row) => {
    const cells = [...numbers].map(([behaviour]) => {
      if (behaviour === row.behaviour) return row.caught ? "  X" : "  ?";
      if (row.failed.includes(behaviour)) return "  x";
      return row.passed.includes(behaviour) ? "  ·" : "   ";
    });
    return `${`${String(row.number).padStart(2)}  ${row.behaviour}`.padEnd(width)} ${cells.join("")}`;
  });
  return [head, ...rows].join("\n");
}

/** The last line: `mutants: 30 of 30 caught`, and how many others each passed at least that was run against them. */
export function renderTotal(catches: readonly Catch[]): string {
  const caught = catches.filter((one) => one.caught).length;
  const full = catches.filter(isFull);
  const whose = full.length === catches.length ? "each" : `${full.length} of them run against the others, each`;
  const least = Math.min(...full.map((one) => one.passed.length));
  return `mutants: ${caught} of ${catches.length} caught${full.length === 0 ? "" : `, ${whose} passing at least ${least} others`}`;
}
