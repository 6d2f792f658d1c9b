import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { sectionOf, withSection } from "../agent/section.ts";
import { type Chart, writeCharts } from "../chart.ts";
import { page } from "./page.ts";
import type { Results } from "./results.ts";

/** Writes the page, but for the agent's section, which stays, and into the directory of its name beside it the results and the charts. */
export async function write(results: Results, charts: readonly Chart[], file: string): Promise<void> {
  const directory = join(dirname(file), basename(file, ".md"));
  await writeCharts(directory, charts);
  writeFileSync(join(directory, "results.json"), resultsText(results));
  const agents = existsSync(file) ? sectionOf(readFileSync(file, "utf8")) : "";
  writeFileSync(file, agents === "" ? page(results, charts) : withSection(page(results, charts), agents));
}

/** JSON, with a line for each sample: there are hundreds. */
export function resultsText({ samples, ...others }: Results): string {
  const head = JSON.stringify(others, undefined, 1).slice(0, -"\n}".length);
  return `${head},\n "samples": [\n${samples.map((sample) => JSON.stringify(sample)).join(",\n")}\n]}\n`;
}
