import type { Chart } from "../chart.ts";
import { type Figure, LATENCY_QPS } from "./loads.ts";
import { MODES } from "./modes.ts";
import type { Row } from "./rows.ts";

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
    return points.length < 2 ? [] : [{ name, title, across: "connections", axis, series: seriesOf(points) }];
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
