import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { init } from "echarts";
import sharp from "sharp";
import { MODES } from "./redirection/modes.ts";

/** A line for each mode, against a number that doubles along the axis. */
export interface Chart {
  /** Of its files. */
  readonly name: string;
  readonly title: string;
  /** What there is more of to the right. */
  readonly across: string;
  readonly axis: string;
  /** Whether the vertical axis doubles too: what grows as the number does is then a straight line. */
  readonly isLogarithmic?: boolean;
  readonly series: readonly { readonly mode: string; readonly points: readonly (readonly [number, number])[] }[];
}

const SIZE = { width: 900, height: 520 };
/** Of Okabe and Ito: told apart by the colour-blind too. */
const COLOURS = ["#000000", "#999999", "#D55E00", "#E69F00", "#0072B2", "#009E73"];

/** The chart as SVG. */
export function toSvg({ title, across, axis, isLogarithmic = false, series }: Chart): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...SIZE });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: "#ffffff",
      textStyle: { fontFamily: "DejaVu Sans, sans-serif" },
      title: { text: title, left: "center" },
      legend: { bottom: 0, itemGap: 24 },
      grid: { left: 80, right: 30, top: 60, bottom: 90 },
      xAxis: { type: "log", logBase: 2, name: across, nameLocation: "middle", nameGap: 30 },
      yAxis: isLogarithmic ? { type: "log", name: axis } : { type: "value", name: axis, min: 0 },
      series: series.map(({ mode, points }) => ({
        type: "line",
        name: mode,
        data: points.map((point) => [...point]),
        itemStyle: { color: colourOf(mode) },
      })),
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/** The same picture in pixels, twice as many as it is large. */
export function toPng(svg: string): Promise<Buffer> {
  return sharp(Buffer.from(svg), { density: 144 }).png().toBuffer();
}

const colourOf = (mode: string): string =>
  COLOURS[MODES.findIndex(({ name }) => name === mode) % COLOURS.length] as string;

/** Each as SVG and PNG into a directory, which is made. */
export async function writeCharts(directory: string, charts: readonly Chart[]): Promise<void> {
  mkdirSync(directory, { recursive: true });
  for (const chart of charts) {
    const svg = toSvg(chart);
    writeFileSync(join(directory, `${chart.name}.svg`), svg);
    writeFileSync(join(directory, `${chart.name}.png`), await toPng(svg));
  }
}
