import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Chart, toPng, toSvg } from "./charts.ts";
import { page } from "./page.ts";
import type { Results } from "./results.ts";

/** Writes the page, and into the directory of its name beside it the results and the charts. */
export async function write(results: Results, charts: readonly Chart[], file: string): Promise<void> {
  const directory = join(dirname(file), basename(file, ".md"));
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "results.json"), resultsText(results));
  for (const chart of charts) {
    const svg = toSvg(chart);
    writeFileSync(join(directory, `${chart.name}.svg`), svg);
    writeFileSync(join(directory, `${chart.name}.png`), await toPng(svg));
  }
  writeFileSync(file, page(results, charts));
}

/** JSON, with a line for each sample: there are hundreds. */
export function resultsText({ samples, ...others }: Results): string {
  const head = JSON.stringify(others, undefined, 1).slice(0, -"\n}".length);
  return `${head},\n "samples": [\n${samples.map((sample) => JSON.stringify(sample)).join(",\n")}\n]}\n`;
}
