import type { EventRecord } from "@millrace/core/internal";
import type { CniAnswer, WatchStatistics } from "@millrace/watchers";
import { Subject } from "rxjs";
import { expect, test } from "vitest";
import { someStatus } from "../testing/some-status.test.kit.ts";
import { Metrics, type Reading } from "./metrics.ts";

const workload = (name: string, state: Reading["status"]["workloads"][number]["state"]) => ({
  uid: name,
  namespace: "shop",
  name,
  addresses: [],
  state,
  problems: [],
  foreign: [],
});

const watch: WatchStatistics = {
  watch: "kubernetes-pods",
  state: "watching",
  lists: 2,
  streams: 3,
  events: 40,
  bookmarks: 5,
  skipped: 1,
  objects: 12,
  lastHeardAt: 1_767_322_800_500,
  errors: { HTTP_403: 2 },
};

function reading(changes: Partial<Reading> = {}): Reading {
  const { agent } = someStatus();
  const probes = [{ backend: "ebpf", capable: true, summary: 'tcx, "quoted"' }];
  return {
    status: someStatus({
      agent: { ...agent, selection: { reason: "first", probes } },
      workloads: [workload("a", "enrolled"), workload("b", "enrolled"), workload("c", "not a member")],
      counters: { "app_outbound.captured": 7, "mangle.out.dropped": 3 },
      maps: { members: { entries: 9, max: 4096 } },
    }),
    conditions: [
      { name: "redirection", ok: true },
      { name: "watches", ok: false, reason: "lost" },
    ],
    drifted: 1,
    queue: { waiting: ["x"], running: [], backingOff: [{ key: "y", failures: 2, delayMs: 5 }] },
    watches: [watch],
    install: undefined,
    eventLogBytes: 4096,
    writes: { annotation: { success: 3, HTTP_409: 1 }, event: {}, taint: {} },
    ...changes,
  };
}

class Observed implements Disposable {
  current = reading();
  readonly records$ = new Subject<EventRecord>();
  readonly cniAnswers$ = new Subject<CniAnswer>();
  readonly metrics = new Metrics({ read: () => this.current, records$: this.records$, cniAnswers$: this.cniAnswers$ });

  /** Lines of a metric, with their values. */
  async lines(name: string): Promise<string[]> {
    const text = await this.metrics.render();
    return text.split("\n").filter((line) => new RegExp(`^${name}[{ ]`).test(line));
  }

  record<Type extends EventRecord["type"]>(type: Type, data: EventRecord<Type>["data"]): void {
    this.records$.next({ seq: 1, time: "2026-01-02T03:00:00.000Z", type, subject: "workload/a", data } as EventRecord);
  }

  [Symbol.dispose](): void {
    this.metrics[Symbol.dispose]();
  }
}

test("what is read at the scrape", async () => {
  using it = new Observed();
  expect(await it.lines("millrace_backend_info")).toEqual([
    'millrace_backend_info{mode="auto",backend="ebpf",probe="tcx, \\"quoted\\""} 1',
  ]);
  expect(await it.lines("millrace_ready_condition")).toEqual([
    'millrace_ready_condition{condition="redirection"} 1',
    'millrace_ready_condition{condition="watches"} 0',
  ]);
  expect(await it.lines("millrace_pods")).toEqual(
    expect.arrayContaining(['millrace_pods{state="enrolled"} 2', 'millrace_pods{state="not_a_member"} 1']),
  );
  expect(await it.lines("millrace_pods_enrolled")).toEqual(["millrace_pods_enrolled 2"]);
  expect(await it.lines("millrace_kernel_readings_failed")).toEqual(["millrace_kernel_readings_failed 0"]);
  expect(await it.lines("millrace_pods_drifted")).toEqual(["millrace_pods_drifted 1"]);
  expect(await it.lines("millrace_packets_total")).toEqual([
    'millrace_packets_total{program="app_outbound",verdict="captured"} 7',
    'millrace_packets_total{program="mangle.out",verdict="dropped"} 3',
  ]);
  expect(await it.lines("millrace_map_entries")).toEqual(['millrace_map_entries{map="members"} 9']);
  expect(await it.lines("millrace_map_entries_max")).toEqual(['millrace_map_entries_max{map="members"} 4096']);
  expect(await it.lines("millrace_queue_depth")).toEqual([
    'millrace_queue_depth{state="waiting"} 1',
    'millrace_queue_depth{state="running"} 0',
    'millrace_queue_depth{state="backing_off"} 1',
  ]);
  expect(await it.lines("millrace_watch_streams_total")).toEqual([
    'millrace_watch_streams_total{watch="kubernetes-pods"} 3',
  ]);
  expect(await it.lines("millrace_watch_errors_total")).toEqual([
    'millrace_watch_errors_total{watch="kubernetes-pods",code="HTTP_403"} 2',
  ]);
  expect(await it.lines("millrace_watch_last_heard_timestamp_seconds")).toEqual([
    'millrace_watch_last_heard_timestamp_seconds{watch="kubernetes-pods"} 1767322800.5',
  ]);
  expect(await it.lines("millrace_api_writes_total")).toEqual([
    'millrace_api_writes_total{kind="annotation",result="success"} 3',
    'millrace_api_writes_total{kind="annotation",result="HTTP_409"} 1',
  ]);
  expect(await it.lines("millrace_eventlog_bytes")).toEqual(["millrace_eventlog_bytes 4096"]);
});

test("a scrape shows what is, not what was: counts go down, series go, and nothing is added up twice", async () => {
  using it = new Observed();
  await it.metrics.render();
  const { problem: _, backend: __, ...agent } = { ...someStatus().agent, problem: "" };
  it.current = reading({ status: someStatus({ agent, counters: { "app_outbound.captured": 9 } }) });
  await it.metrics.render();
  expect(await it.lines("millrace_packets_total")).toEqual([
    'millrace_packets_total{program="app_outbound",verdict="captured"} 9',
  ]);
  expect(await it.lines("millrace_pods_enrolled")).toEqual(["millrace_pods_enrolled 0"]);
  expect(await it.lines("millrace_map_entries")).toEqual([]);
  expect(await it.lines("millrace_backend_info")).toEqual([]);
  expect(await it.lines("millrace_watch_events_total")).toEqual([
    'millrace_watch_events_total{watch="kubernetes-pods"} 40',
  ]);
});

test("what happens is counted as it happens", async () => {
  using it = new Observed();
  it.record("redirection.applied", { action: "apply", generation: 1, durationMs: 3, attempt: 1 });
  it.record("redirection.failed", {
    action: "apply",
    generation: 1,
    durationMs: 1500,
    attempt: 2,
    error: { code: "EIO", message: "no" },
  });
  it.record("drift.found", { problems: ["gone"] });
  expect(await it.lines("millrace_event_total")).toContain('millrace_event_total{type="drift.found"} 1');
  const buckets = await it.lines("millrace_reconcile_seconds_bucket");
  expect(buckets).toContain('millrace_reconcile_seconds_bucket{le="0.0025",action="apply",result="success"} 0');
  expect(buckets).toContain('millrace_reconcile_seconds_bucket{le="0.005",action="apply",result="success"} 1');
  expect(await it.lines("millrace_reconcile_seconds_sum")).toContain(
    'millrace_reconcile_seconds_sum{action="apply",result="failure"} 1.5',
  );

  it.cniAnswers$.next({ command: "ADD", code: 0, durationMs: 4 });
  it.cniAnswers$.next({ command: "ADD", code: 11, durationMs: 10_000 });
  it.cniAnswers$.next({ command: undefined, code: 6, durationMs: 1 });
  expect(await it.lines("millrace_plugin_requests_total")).toEqual([
    'millrace_plugin_requests_total{command="ADD",code="0"} 1',
    'millrace_plugin_requests_total{command="ADD",code="11"} 1',
    'millrace_plugin_requests_total{command="none",code="6"} 1',
  ]);
});

test("the installation is shown where the agent installs", async () => {
  using it = new Observed();
  expect(await it.lines("millrace_plugin_install_state")).toEqual([]);
  const install = {
    version: 1,
    state: "contended",
    since: "2026-01-02T03:00:00.000Z",
    pid: 1,
    detail: "",
    warnings: [],
    writes: 6,
  } as const;
  it.current = reading({ install: { ...install, warnings: [] } });
  expect(await it.lines("millrace_plugin_install_state")).toContain(
    'millrace_plugin_install_state{state="contended"} 1',
  );
  expect(await it.lines("millrace_plugin_install_writes_total")).toEqual(["millrace_plugin_install_writes_total 6"]);
});

test("Node's and the process's own are there too", async () => {
  using it = new Observed();
  expect(await it.lines("nodejs_eventloop_lag_p99_seconds")).toHaveLength(1);
  expect(await it.lines("process_resident_memory_bytes")).toHaveLength(1);
});
