import { createInterface } from "node:readline";
import type { Plugin, Redirection, RedirectionBackend } from "@millrace/core";
import { DEFAULT_CONCURRENCY } from "@millrace/core/internal";
import ebpf from "@millrace/plugin-ebpf";
import iptables from "@millrace/plugin-iptables";
import { cpuTimeMs } from "linux-ts";
import type { Variant } from "../variants.ts";
import type { BenchNode } from "./node.ts";

export interface DriverSettings extends Pick<BenchNode, "workloads" | "proxy"> {
  readonly variant: Variant;
  readonly host: { readonly bpffs: string; readonly journal: string };
}

/**
 * What is done and timed: the name of a step in, its milliseconds out, one line of JSON each. Of `observe`, which reads everything ten times, it is CPU
 * time, that of the programs that are run included.
 */
export type Step = "install" | "apply" | "again" | "observe" | "uninstall" | "rebuild";

const READINGS = 10;

/** Inside of the node: runs one backend as the agent does. Settings are the first line. */
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { variant, host, workloads, proxy }: DriverSettings = JSON.parse((await lines.next()).value ?? "");
const plugin = { ebpf, iptables }[variant.plugin] as unknown as Plugin;
const quiet = () => undefined;
const backend: RedirectionBackend = plugin.create({
  config: plugin.config.parse(variant.config),
  policy: { failurePolicy: "closed", localDelivery: "direct" },
  host,
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  signal: new AbortController().signal,
});
let redirection: Redirection;

async function install(): Promise<void> {
  redirection = await backend.open();
  await redirection.useNode({ addresses: ["198.18.0.1", "fe80::1"] });
  await redirection.useProxies({ active: proxy, draining: [] });
}

async function applyAll(): Promise<void> {
  const waiting = [...workloads];
  const worker = async () => {
    for (let workload = waiting.shift(); workload !== undefined; workload = waiting.shift()) {
      await redirection.apply(workload);
    }
  };
  // As many at once as the agent asks for.
  await Promise.all(Array.from({ length: DEFAULT_CONCURRENCY }, worker));
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const steps: Readonly<Record<Step, () => Promise<number[]>>> = {
  install: async () => [await timed(install)],
  apply: async () => {
    const times: number[] = [];
    for (const workload of workloads) times.push(await timed(() => redirection.apply(workload)));
    return times;
  },
  again: async () => [await timed(applyAll)],
  observe: async () => {
    await redirection.observe(); // the first one compiles what the others run
    const before = cpuTimeMs();
    for (let reading = 0; reading < READINGS; reading++) await redirection.observe();
    // Children's times come by hundredths of a second: of one reading that would be too coarse.
    return [(cpuTimeMs() - before) / READINGS];
  },
  uninstall: async () => [await timed(() => redirection.uninstall())],
  rebuild: async () => [
    await timed(async () => {
      await install();
      await applyAll();
    }),
  ],
};

for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
  console.log(JSON.stringify(await steps[line.value as Step]()));
}
