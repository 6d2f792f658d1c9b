import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Chart, writeCharts } from "../chart.ts";
import type { AgentResults } from "./results.ts";
import { section, withSection } from "./section.ts";

/** Writes the page's section, which leaves the rest of the page as it is, and into the directory of its name beside it the results and the charts. */
export async function write(results: AgentResults, charts: readonly Chart[], file: string): Promise<void> {
  const directory = join(dirname(file), basename(file, ".md"));
  await writeCharts(directory, charts);
  writeFileSync(join(directory, "agent.json"), `${JSON.stringify(results, undefined, 1)}\n`);
  const page = existsSync(file) ? readFileSync(file, "utf8") : "# Performance\n";
  writeFileSync(file, withSection(page, section(results, charts)));
}
