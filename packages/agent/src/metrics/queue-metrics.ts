import { Gauge, type Registry } from "prom-client";
import type { Refresh } from "./metrics.ts";

/** What is still to be done in the kernel. */
export function queueMetrics(register: Registry): Refresh {
  const depth = new Gauge({
    name: "millrace_queue_depth",
    help: "Workloads, and the proxies and the node as one each, that wait for their turn, are being worked on, or wait for their next try after a failure.",
    labelNames: ["state"],
    registers: [register],
  });
  return ({ queue: { waiting, running, backingOff } }) => {
    depth.set({ state: "waiting" }, waiting.length);
    depth.set({ state: "running" }, running.length);
    depth.set({ state: "backing_off" }, backingOff.length);
  };
}
