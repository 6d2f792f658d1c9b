import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Agent } from "@millrace/conformance";
import { EventLogReader } from "@millrace/core/internal";
import { Cluster, MEMBER_LABEL, untilWatches } from "@millrace/test-kubernetes";
import { cpuTimeMs } from "linux-ts";
import { type Distribution, distribution } from "../statistics.ts";
import type { Variant } from "../variants.ts";
import { asInImage } from "./as-in-image.ts";
import type { RunningPlan } from "./plan.ts";

/** What an agent in a cluster costs, all of whose node's pods are members. */
export interface Running {
  readonly variant: string;
  readonly count: number;
  /** From the start of its process, in milliseconds. */
  readonly start: {
    /** Until its status is served: nothing is enrolled. */
    readonly servingMs: number;
    /** Until all members are, with the watches in sync. */
    readonly enrolledMs: number;
    /** Started again, with everything in the kernel: until it has taken over all of it. */
    readonly againMs: number;
  };
  /** One workload's redirection as its log has it, with others at the same time. Milliseconds. */
  readonly enrol: Distribution;
  /** What is in the log once all are enrolled and nothing comes any more. */
  readonly log: LogSize;
  /** What came to it while there was nothing to do. */
  readonly idleLog: LogSize;
  readonly idleSeconds: number;
  readonly windowSeconds: number;
  /** Resident memory after that, in MiB. */
  readonly rssMib: number;
  /** The part of it that no file backs: the rest is the program's own code, which the kernel can read again. */
  readonly anonymousMib: number;
  /** The most that it ever was. */
  readonly peakRssMib: number;
  /** Of one processor, with the programs that it runs. */
  readonly idleCpuPercent: number;
}

export interface LogSize {
  readonly events: number;
  /** As portable JSONL. */
  readonly bytes: number;
}

const NAMESPACE = "bench";
/** For as many enrolments on a busy machine. */
const PATIENCE_MS = 600_000;
/** No event for so long: what is written on the pods has come back. */
const QUIET_MS = 3_000;
/** A cluster with a real API server, a node of the lab with so many pods, and the agent of the image with the chart's account. All of it goes at the end. */
export async function measureRunning(variant: Variant, plan: RunningPlan): Promise<Running> {
  const { count, idleSeconds, windowSeconds } = plan;
  using image = await asInImage();
  await using cluster = await Cluster.create();
  await cluster.addNamespace(NAMESPACE, MEMBER_LABEL);
  await cluster.kubelet.runPods(
    ...Array.from({ length: count }, (_, index) => ({ name: `m${index}`, namespace: NAMESPACE })),
  );

  let began = performance.now();
  const passed = () => performance.now() - began;
  const agent = await cluster.startAgent({
    command: image.command,
    redirectMode: variant.plugin,
    backends: { [variant.plugin]: { ...variant.config } },
    settings: { log: { level: "info", format: "json" } },
  });
  const servingMs = passed();
  await untilReady(agent, count);
  const enrolledMs = passed();

  const path = cluster.node.paths.eventLog;
  await untilQuiet(path);
  const log = sizeOf(path, 0);
  const enrol = distribution(enrolments(path));
  const last = lastSeq(path);
  await sleep(idleSeconds * 1e3);
  const [cpu, looked] = [cpuTimeMs(agent.pid), performance.now()];
  await sleep(windowSeconds * 1e3);
  const idleCpuPercent = ((cpuTimeMs(agent.pid) - cpu) / (performance.now() - looked)) * 100;
  const [rssMib = 0, anonymousMib = 0, peakRssMib = 0] = (["VmRSS", "RssAnon", "VmHWM"] as const).map((field) =>
    memoryMib(agent.pid, field),
  );
  const idleLog = sizeOf(path, last);

  await agent.stop();
  began = performance.now();
  await agent.restart();
  await untilReady(agent, count);
  const start = { servingMs, enrolledMs, againMs: passed() };
  const own = { variant: variant.name, count, idleSeconds, windowSeconds };
  return { ...own, start, enrol, log, idleLog, rssMib, anonymousMib, peakRssMib, idleCpuPercent };
}

/** All are enrolled, as the agent that runs now has found them, and it knows the cluster. */
async function untilReady(agent: Agent, count: number): Promise<void> {
  await agent.until(
    `${count} members`,
    ({ workloads, observation }) =>
      observation !== undefined && workloads.filter(({ state }) => state === "enrolled").length === count,
    PATIENCE_MS,
  );
  await untilWatches(agent, "synced");
}

async function untilQuiet(path: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let [before, now] = [-1, lastSeq(path)]; before !== now; [before, now] = [now, lastSeq(path)]) {
    if (performance.now() > deadline) throw new Error(`${path}: events go on coming after ${PATIENCE_MS} ms`);
    await sleep(QUIET_MS);
  }
}

function lastSeq(path: string): number {
  using reader = EventLogReader.open(path);
  return reader.lastSeq();
}

function sizeOf(path: string, after: number): LogSize {
  using reader = EventLogReader.open(path);
  const lines = [...reader.rows({ since: after + 1 })].map(({ line }) => Buffer.byteLength(line) + 1);
  return { events: lines.length, bytes: lines.reduce((all, bytes) => all + bytes, 0) };
}

function enrolments(path: string): number[] {
  using reader = EventLogReader.open(path);
  return [...reader.read({ types: ["redirection.applied"] })].flatMap(({ subject, data }) =>
    subject.startsWith("workload/") && "durationMs" in data ? [Number(data.durationMs)] : [],
  );
}

/** `VmRSS` and the like, which the kernel counts in KiB (proc_pid_status(5)). */
function memoryMib(pid: number, field: "VmRSS" | "RssAnon" | "VmHWM"): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (found === undefined) throw new Error(`/proc/${pid}/status has no ${field}`);
  return Number(found) / 1024;
}
