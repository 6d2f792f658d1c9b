import sharp from "sharp";
import { expect, test } from "vitest";
import { toPng, toSvg } from "../chart.ts";
import { charts } from "./charts.ts";
import { MODES } from "./modes.ts";
import { resultsOf } from "./testing/results.ts";

const [first] = charts(resultsOf(0).rows);
if (first === undefined) throw new Error("there is no chart");

test("the largest rate against connections; of latencies only what is valid, and no chart of one point", () => {
  const all = charts(resultsOf(0).rows);
  expect(all.map(({ name }) => name)).toEqual(["max-qps"]);
  expect(first.series.map(({ mode }) => mode)).toEqual(MODES.map(({ name }) => name));
  expect(first.series[0]?.points).toEqual([
    [1, 7_000],
    [16, 7_000],
  ]);
});

test("as SVG, with the modes and what is counted", () => {
  const svg = toSvg(first);
  expect(svg).toMatch(/^<svg /);
  for (const text of [...MODES.map(({ name }) => name), first.title, "connections", "requests/s"]) {
    expect(svg).toContain(`>${text}</text>`);
  }
});

test("as PNG, and not an empty one", async () => {
  const png = await toPng(toSvg(first));
  const { format, width, height } = await sharp(png).metadata();
  expect({ format, width, height }).toEqual({ format: "png", width: 1800, height: 1040 });
  const { channels } = await sharp(png).stats();
  expect(channels.some(({ min, max }) => min < 50 && max > 200)).toBe(true);
});
