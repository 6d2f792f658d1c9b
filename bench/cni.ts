#!/usr/bin/env node
/**
 * How long the CNI plugin takes for many pods, in a chain behind ptp: it alone, and with the agent's redirection of each pod, one pod after
 * the other and ten at once. Prints figures beside the targets and judges none of them.
 *
 * Needs root. `node --conditions=source bench/cni.ts [--count 250] [--rounds 3] [--only ebpf-tcx,…]`, or `make bench-cni`.
 */
import { availableParallelism, loadavg, release } from "node:os";
import { parseArgs } from "node:util";
import { chosenVariants, wholeNumber } from "./arguments.ts";
import type { Command } from "./cni/chain.ts";
import { BenchNode } from "./cni/node.ts";
import { measureOverhead } from "./cni/overhead.ts";
import { distribution } from "./statistics.ts";
import { CNI_OVERHEAD_TARGET } from "./variants.ts";

const TOGETHER = 10;

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "250" },
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
  },
});
const count = wholeNumber("count", values.count);
const rounds = wholeNumber("rounds", values.rounds);
const variants = chosenVariants(values.only);

const [load = 0] = loadavg();
console.log(
  `${count} pods, ptp and millrace, Linux ${release()}, ${availableParallelism()} cores, load ${load.toFixed(1)}, ${new Date().toISOString()}`,
);
console.log(
  "Milliseconds. Targets are for our ADD's p99 with 250 pods. Agent CPU: of all its threads, for each ADD.\n",
);
const row = (...cells: readonly (string | number)[]) =>
  console.log(
    cells
      .map((cell, index) => (index === 0 ? `${cell}`.padEnd(17) : `${cell}`.padStart(index < 7 ? 9 : 11)))
      .join("")
      .trimEnd(),
  );
row("", "at once", "round", "our p50", "p99", "max", "target", "chain p50", "p99", "max", "agent CPU");

/** What one round told, in milliseconds: our plugin's times, the chains', and the agent's CPU time for each ADD. */
interface Round {
  readonly own: readonly number[];
  readonly chain?: readonly number[];
  readonly agentCpuMs?: number;
}

for (const [name, command, target] of [
  ["VERSION", "VERSION", ""],
  ["ADD, no agent", "ADD", CNI_OVERHEAD_TARGET],
] satisfies [string, Command, string | number][]) {
  await eachRound(name, { alone: target }, async (atOnce) => {
    // No agent looks at what these name.
    const attachments = Array.from({ length: count }, (_, index) => ({
      containerId: `container-${index}`,
      netns: `/run/netns/bench-${index}`,
      args: `K8S_POD_NAMESPACE=bench;K8S_POD_NAME=p${index};K8S_POD_UID=uid-${index}`,
    }));
    return { own: await measureOverhead(command, attachments, atOnce) };
  });
}

for (const { name, cniAddTargets, ...variant } of variants) {
  await using node = await BenchNode.create({ name, ...variant });
  await eachRound(name, cniAddTargets ?? {}, async (atOnce) => {
    const { times, agentCpuMs } = await node.startPods(count, atOnce);
    return { own: times.map(({ own }) => own), chain: times.map(({ chain }) => chain), agentCpuMs };
  });
}

/** Each round alone, which shows the spread, and all of them together: of one round p99 is its third slowest. */
async function eachRound(
  name: string,
  targets: { readonly alone?: string | number; readonly together?: string | number },
  measure: (atOnce: number) => Promise<Round>,
): Promise<void> {
  for (const atOnce of [1, TOGETHER]) {
    const target = (atOnce === 1 ? targets.alone : targets.together) ?? "";
    const all: Round[] = [];
    for (let round = 1; round <= rounds; round++) {
      const told = await measure(atOnce);
      all.push(told);
      rowOf(name, atOnce, round, target, told);
    }
    const cpu = all.flatMap(({ agentCpuMs }) => agentCpuMs ?? []);
    rowOf(name, atOnce, "all", target, {
      own: all.flatMap(({ own }) => own),
      chain: all.flatMap(({ chain = [] }) => chain),
      ...(cpu.length === 0 ? {} : { agentCpuMs: cpu.reduce((sum, ms) => sum + ms, 0) / cpu.length }),
    });
  }
}

function rowOf(
  name: string,
  atOnce: number,
  round: string | number,
  target: string | number,
  { own, chain = [], agentCpuMs }: Round,
): void {
  row(
    name,
    atOnce,
    round,
    ...figures(own),
    target,
    ...(chain.length === 0 ? [] : figures(chain)),
    ...(agentCpuMs === undefined ? [] : [agentCpuMs.toFixed(1)]),
  );
}

/** p50, p99 and the longest. */
function figures(times: readonly number[]): string[] {
  const { p50, p99, max } = distribution(times);
  return [p50, p99, max].map((ms) => ms.toFixed(ms < 100 ? 1 : 0));
}
