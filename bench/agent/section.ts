import type { Chart } from "../chart.ts";
import { isLoaded } from "../redirection/machine.ts";
import { figure } from "../redirection/table.ts";
import type { Distribution } from "../statistics.ts";
import type { Growth } from "./growth.ts";
import { agentLines } from "./lines.ts";
import type { AgentResults } from "./results.ts";
import type { Running } from "./running.ts";

/** What begins the agent's section, the last of docs/performance.md. */
export const HEADING = "## The agent's own cost";

/** The section of a run. Its pictures and results are in `performance/` beside the page. */
export function section(results: AgentResults, charts: readonly Chart[]): string {
  const { machine, seconds, growth, running, throughput, programs } = results;
  const loaded = isLoaded(machine)
    ? `\n**The machine was busy with other things** (${(machine.busy * 100).toFixed(0)} % of its processors' time before the first run): these figures show that the measurement works, and nothing else.\n`
    : "";
  const pictures = charts.map(({ name, title }) => `![${title}](performance/${name}.svg)`).join("\n\n");
  return `${HEADING}

Measured, and written here, by \`make bench-agent\`. ${machine.processor}, ${machine.processors} processors, ${machine.memoryGib} GiB, Linux ${machine.kernel}; commit ${machine.commit}; begun ${machine.began}; took
${(seconds / 60).toFixed(1)} minutes.
${loaded}
\`\`\`
${agentLines(results).join("\n")}
\`\`\`

### With the number of workloads

The backend's work for one workload, one after the other from none to all; for the last tenth of them, when nearly all others are there; and for the whole node from nothing, four
at a time as the agent does it. A workload is a network namespace with a veth pair, both families and routes, and nothing runs in it.

${growthTable(growth)}
${pictures === "" ? "" : `\n${pictures}\n`}
### An agent that runs

In a cluster with a real API server and its watches in sync, all pods of the node members. It was left alone, then its processor time was counted, with that of the programs it runs.

${runningTable(running)}

The engine with its log on the disk and a kernel that answers at once: ${figure(throughput.events / throughput.seconds)} events/s (${throughput.events.toLocaleString("en")} events), each durable before anything was done because of it.

### The BPF programs

What each takes for a packet, by \`BPF_PROG_TEST_RUN\`: the fastest go of ten thousand runs ([bpf/README.md](../bpf/README.md#speed)).

${table(
  ["program, and what becomes of the packet", "ns"],
  programs.map(({ name, nanoseconds }) => [name, `${nanoseconds}`]),
)}

With its single figures: [agent.json](performance/agent.json).
`;
}

/** The page with this section in place of the one it has, or behind everything else. */
export function withSection(page: string, own: string): string {
  const before = page.slice(0, page.length - sectionOf(page).length).trimEnd();
  return before === "" ? own : `${before}\n\n${own}`;
}

/** The section that a page has, to its end; empty when it has none. */
export function sectionOf(page: string): string {
  const begins = page.indexOf(`${HEADING}\n`);
  return begins < 0 ? "" : page.slice(begins);
}

function growthTable(growth: readonly Growth[]): string {
  return table(
    ["way", "workloads", "enrol p50", "p99", "max", "last tenth p50", "p99", "rebuild", "for each"],
    growth.map(({ variant, count, enrol, lastEnrol, rebuild }) => [
      variant,
      count.toLocaleString("en"),
      ...ms(enrol),
      ...ms(lastEnrol).slice(0, 2),
      `${figure(rebuild / 1e3)} s`,
      `${figure(rebuild / count)} ms`,
    ]),
  );
}

function runningTable(running: readonly Running[]): string {
  const columns: readonly [string, (one: Running) => string][] = [
    ["workloads", ({ count }) => `${count}`],
    ["started: status served after", ({ start }) => `${figure(start.servingMs / 1e3)} s`],
    ["all enrolled after", ({ start }) => `${figure(start.enrolledMs / 1e3)} s`],
    ["a workload's redirection, of those together: p50, p99", ({ enrol }) => ms(enrol).slice(0, 2).join(", ")],
    ["started again: all taken over after", ({ start }) => `${figure(start.againMs / 1e3)} s`],
    [
      "log, for each workload that came",
      ({ log, count }) => `${figure(log.events / count)} events, ${figure(log.bytes / count)} bytes`,
    ],
    [
      "log, while there was nothing to do",
      ({ idleLog, idleSeconds, windowSeconds }) => `${idleLog.events} events in ${idleSeconds + windowSeconds} s`,
    ],
    ["left alone before it was looked at", ({ idleSeconds }) => `${idleSeconds} s`],
    ["resident memory", ({ rssMib }) => `${figure(rssMib)} MiB`],
    ["of it, without the program's own code", ({ anonymousMib }) => `${figure(anonymousMib)} MiB`],
    ["the most of it", ({ peakRssMib }) => `${figure(peakRssMib)} MiB`],
    ["processor time, of one processor", ({ idleCpuPercent }) => `${idleCpuPercent.toFixed(2)} %`],
  ];
  return table(
    ["", ...running.map(({ variant }) => variant)],
    columns.map(([name, text]) => [name, ...running.map(text)]),
  );
}

const ms = ({ p50, p99, max }: Distribution): string[] => [p50, p99, max].map((value) => `${figure(value)} ms`);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
