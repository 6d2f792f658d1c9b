import type { Palette } from "../cli/colour.ts";
import { age } from "../cli/duration.ts";
import { table } from "../cli/table.ts";
import type { Status, WorkloadState, WorkloadStatus } from "./status-document.ts";
import { verdict } from "./verdict.ts";

/** Enough of a uid to tell pods apart on one node; `--json` has all of it. */
const SHORT_UID = 8;

const paintOf: Readonly<Record<WorkloadState, keyof Palette>> = {
  enrolled: "good",
  partial: "bad",
  unseen: "bad",
  failed: "bad",
  pending: "warn",
  leaving: "warn",
  "not a member": "dim",
};

function stateCell(workload: WorkloadStatus, palette: Palette): string {
  const text = workload.reason === undefined ? workload.state : `${workload.state} (${workload.reason})`;
  return palette[paintOf[workload.state]](text);
}

function head(status: Status, palette: Palette): string {
  const { agent, observation, time } = status;
  const backend = agent.backend ?? "none";
  const lines = [
    `${palette.bold(agent.node)}: backend ${backend} (redirectMode ${agent.redirectMode}), fails ${agent.failurePolicy}, ` +
      `agent ${agent.version} pid ${agent.pid}, up ${age(agent.startedAt, time)}`,
    observation === undefined
      ? palette.warn("kernel not read yet: nothing below is confirmed")
      : `kernel last read ${age(observation.time, time)} ago, at ${observation.time}`,
    ...selection(agent),
    ...switched(status),
  ];
  const { state, path, lostEvents, heldEvents = 0, reason } = status.eventLog;
  if (state !== "healthy") {
    lines.push(
      palette.warn(
        `event log ${state}: ${path}, ${heldEvents} events held in memory, ${lostEvents} lost${reason === undefined ? "" : `: ${reason}`}`,
      ),
    );
  }
  for (const { name, failures, ends, time: at, code, message } of status.plugins) {
    const ended = ends === 0 ? "" : `, its process ended ${ends} times`;
    lines.push(
      palette.warn(`plugin ${name}: ${failures} calls failed${ended}; last ${age(at, time)} ago: ${code}: ${message}`),
    );
  }
  for (const complaint of verdict(status).complaints) lines.push(palette.bad(`! ${complaint}`));
  return `${lines.join("\n")}\n`;
}

/** Why this backend, and how it redirects on this host: what its probe said when it was taken. */
function selection({ backend, selection: choice }: Status["agent"]): string[] {
  if (choice === undefined || backend === undefined) return [];
  const summary = choice.probes.find((probe) => probe.backend === backend)?.summary;
  return [`why ${backend}: ${choice.reason}`, ...(summary === undefined ? [] : [`how: ${summary}`])];
}

function switched({ switch: last }: Status): string[] {
  if (last?.state !== "done") return [];
  const standby = last.standby.map(
    (name) => `what connections that began by ${name} need is still there: it goes with their proxy`,
  );
  return [...(last.failure === undefined ? [] : [`last switch was given up: ${last.failure}`]), ...standby];
}

function workloads(status: Status, palette: Palette): string {
  const rows = status.workloads.map((workload) => [
    `${workload.namespace}/${workload.name}`,
    workload.uid.slice(0, SHORT_UID),
    workload.addresses.join(",") || "-",
    workload.state === "not a member" ? "-" : (status.agent.backend ?? "-"),
    stateCell(workload, palette),
    age(workload.since, status.time),
    age(workload.agreedAt, status.time),
  ]);
  const titles = ["WORKLOAD", "UID", "ADDRESSES", "BACKEND", "STATE", "SINCE", "AGREED"];
  const text = table(
    titles.map((title) => ({ title })),
    rows,
  );
  return text === "" ? "no workloads on this node\n" : text;
}

function problems(status: Status, palette: Palette): string {
  return status.workloads
    .flatMap((workload) => [
      ...workload.problems.map((problem) => [workload, problem] as const),
      ...workload.foreign.map(
        ({ kind, where, owner, effect }) => [workload, `foreign ${kind} at ${where} of ${owner}: ${effect}`] as const,
      ),
    ])
    .map(([workload, problem]) => `${palette.bad("!")} ${workload.namespace}/${workload.name}: ${problem}\n`)
    .join("");
}

function proxies(status: Status, palette: Palette): string {
  const rows = status.proxies.map((proxy) => [
    `${proxy.namespace}/${proxy.name}`,
    proxy.uid.slice(0, SHORT_UID),
    proxy.addresses.join(",") || "-",
    proxy.role,
    proxy.state === "complete" ? palette.good(proxy.state) : palette.bad([proxy.state, ...proxy.problems].join("; ")),
  ]);
  const text = table(
    ["PROXY", "UID", "ADDRESSES", "ROLE", "STATE"].map((title) => ({ title })),
    rows,
  );
  return text === "" ? "no node proxy\n" : text;
}

function watches(status: Status, palette: Palette): string {
  const rows = status.watches.map((watch) => [
    watch.name,
    watch.state === "synced" ? palette.good(watch.state) : palette.warn(watch.state),
    age(watch.since, status.time),
    watch.reason ?? "",
  ]);
  return table(
    ["WATCH", "STATE", "SINCE", "REASON"].map((title) => ({ title })),
    rows,
  );
}

function counters(status: Status): string {
  const rows = Object.entries(status.counters)
    .filter(([, count]) => count > 0)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, count]) => [name, String(count)]);
  return table([{ title: "COUNTER" }, { title: "TOTAL", align: "right" }], rows);
}

/** A status for people. Ages are counted back from the status's own time. */
export function renderStatus(status: Status, palette: Palette): string {
  return [
    head(status, palette),
    workloads(status, palette) + problems(status, palette),
    proxies(status, palette),
    watches(status, palette),
    counters(status),
  ]
    .filter((part) => part !== "")
    .join("\n");
}
