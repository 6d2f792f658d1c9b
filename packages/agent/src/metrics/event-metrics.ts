import type { EventRecord } from "@millrace/core/internal";
import { Counter, Histogram, type Registry } from "prom-client";

/** From a map write (50 µs) to the 30 s that one call of a backend may take. */
const RECONCILE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What happened, event by event. */
export function eventMetrics(register: Registry): (record: EventRecord) => void {
  const registers = [register];
  const events = new Counter({
    name: "millrace_event_total",
    help: "Events by type since the agent started, as in `millrace log`.",
    labelNames: ["type"],
    registers,
  });
  const reconcile = new Histogram({
    name: "millrace_reconcile_seconds",
    help: "How long the backend took for what was asked of it, by action and by result.",
    labelNames: ["action", "result"],
    buckets: RECONCILE_BUCKETS,
    registers,
  });
  return ({ type, data }) => {
    events.inc({ type });
    if (type !== "redirection.applied" && type !== "redirection.removed" && type !== "redirection.failed") return;
    const result = type === "redirection.failed" ? "failure" : "success";
    const { action, durationMs } = data as EventRecord<typeof type>["data"];
    reconcile.observe({ action, result }, durationMs / 1000);
  };
}
