import { Counter, Gauge, type Registry } from "prom-client";
import type { Refresh } from "./metrics.ts";

const STATES = ["healthy", "stalled", "failing"] as const;

/** The event log: how large, how far, and what it lacks. */
export function eventLogMetrics(register: Registry): Refresh {
  const registers = [register];
  const state = new Gauge({
    name: "millrace_eventlog_state",
    help: "1 for the state that the event log is in: healthy, stalled (slower than its deadline) or failing (it cannot be written).",
    labelNames: ["state"],
    registers,
  });
  const bytes = new Gauge({
    name: "millrace_eventlog_bytes",
    help: "Size of the event log's files together.",
    registers,
  });
  const sequence = new Gauge({
    name: "millrace_eventlog_last_seq",
    help: "Number of the last event, written or not.",
    registers,
  });
  const held = new Gauge({
    name: "millrace_eventlog_held_events",
    help: "Events that wait in memory until the log can be written again.",
    registers,
  });
  const lost = new Counter({
    name: "millrace_eventlog_lost_events_total",
    help: "Events that are not in the log and for which there was no room in memory; `log.gap` in the log tells where.",
    registers,
  });
  return ({ status: { eventLog }, eventLogBytes }) => {
    for (const name of STATES) state.set({ state: name }, Number(name === eventLog.state));
    bytes.set(eventLogBytes);
    sequence.set(eventLog.lastSeq);
    held.set(eventLog.heldEvents ?? 0);
    lost.reset();
    lost.inc(eventLog.lostEvents);
  };
}
