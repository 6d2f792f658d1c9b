import { init } from "echarts";
import sharp from "sharp";
import { type Figure, LATENCY_QPS } from "./loads.ts";
import { MODES } from "./modes.ts";
import type { Row } from "./rows.ts";

export interface Chart {
  readonly name: string;
  readonly title: string;
  readonly axis: string;
  readonly series: readonly { readonly mode: string; readonly points: readonly (readonly [number, number])[] }[];
}

const SIZE = { width: 900, height: 520 };
/** Of Okabe and Ito: told apart by the colour-blind too. */
const COLOURS = ["#000000", "#999999", "#D55E00", "#E69F00", "#0072B2", "#009E73"];

/** The field's two charts: the largest rate, and the latency at a given one, against the number of connections. On one processor and one node. */
export function charts(rows: readonly Row[]): Chart[] {
  const own = rows.filter(
    ({ rig, pinning, path, load }) =>
      rig === "light" && pinning === "one-cpu" && path === "same-node" && load.tool === "fortio",
  );
  const kinds: readonly [string, Figure, string, string][] = [
    ["max-qps", "rate", "Largest rate (fortio -uniform -qps 0)", "requests/s"],
    ["p75", "p75", `P75 at ${LATENCY_QPS.toLocaleString("en")} requests/s (fortio -uniform -qps ${LATENCY_QPS})`, "ms"],
  ];
  return kinds.flatMap(([name, figure, title, axis]) => {
    const points = own.filter(({ load, invalid }) => load.figure === figure && invalid === undefined);
    // One point is no line.
    return points.length < 2 ? [] : [{ name, title, axis, series: seriesOf(points) }];
  });
}

function seriesOf(rows: readonly Row[]): Chart["series"] {
  return MODES.map(({ name }) => ({
    mode: name,
    points: rows.flatMap(({ load, cells }) =>
      cells.filter(({ mode }) => mode === name).map(({ value }) => [load.connections, value.median] as const),
    ),
  })).filter(({ points }) => points.length > 0);
}

/** The chart as SVG. */
export function toSvg({ title, axis, series }: Chart): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...SIZE });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: "#ffffff",
      textStyle: { fontFamily: "DejaVu Sans, sans-serif" },
      title: { text: title, left: "center" },
      legend: { bottom: 0, itemGap: 24 },
      grid: { left: 80, right: 30, top: 60, bottom: 90 },
      xAxis: { type: "log", logBase: 2, name: "connections", nameLocation: "middle", nameGap: 30 },
      yAxis: { type: "value", name: axis, min: 0 },
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
