import type { WatchStatistics } from "@millrace/watchers";
import { Counter, Gauge, type Registry } from "prom-client";
import type { Refresh } from "./metrics.ts";

type Counted = "lists" | "streams" | "events" | "bookmarks";

const COUNTED: Readonly<Record<Counted, string>> = {
  lists: "Complete lists; each after the first is a relist.",
  streams: "Watch requests that the API server has agreed to; each after the first is a restart.",
  events: "Events of the watch, without bookmarks.",
  bookmarks: "Bookmarks: signs that the watch lives although nothing happens.",
};

/** One entry a watch: docs/kubernetes-watch.md tells what each of these means. */
export function watchMetrics(register: Registry): Refresh {
  const registers = [register];
  const labelNames = ["watch"] as const;
  const synced = new Gauge({
    name: "millrace_watch_synced",
    help: "1 when what the agent knows by this watch is up to date, 0 when it may be old.",
    labelNames,
    registers,
  });
  const counters = (Object.entries(COUNTED) as [Counted, string][]).map(
    ([key, help]) => [key, new Counter({ name: `millrace_watch_${key}_total`, help, labelNames, registers })] as const,
  );
  const objects = new Gauge({
    name: "millrace_watch_objects",
    help: "Objects known by this watch.",
    labelNames,
    registers,
  });
  const skipped = new Gauge({
    name: "millrace_watch_skipped_objects",
    help: "Objects that could not be read and are left out.",
    labelNames,
    registers,
  });
  const heard = new Gauge({
    name: "millrace_watch_last_heard_timestamp_seconds",
    help: "When the API server last sent something, in seconds since the epoch; 0 before the first time.",
    labelNames,
    registers,
  });
  const errors = new Counter({
    name: "millrace_watch_errors_total",
    help: "Failures by code; HTTP_<status> for what the API server refused.",
    labelNames: ["watch", "code"],
    registers,
  });
  const tell = (statistics: WatchStatistics) => {
    const { watch } = statistics;
    for (const [key, counter] of counters) counter.inc({ watch }, statistics[key]);
    objects.set({ watch }, statistics.objects);
    skipped.set({ watch }, statistics.skipped);
    heard.set({ watch }, (statistics.lastHeardAt ?? 0) / 1000);
    for (const [code, count] of Object.entries(statistics.errors)) errors.inc({ watch, code }, count);
  };
  return ({ status, watches }) => {
    for (const { name, state } of status.watches) synced.set({ watch: name }, Number(state === "synced"));
    errors.reset();
    for (const [, counter] of counters) counter.reset();
    for (const statistics of watches) tell(statistics);
  };
}
