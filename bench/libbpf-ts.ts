#!/usr/bin/env node
/**
 * How many operations a second libbpf-ts makes. Prints figures beside the targets and judges none.
 *
 * Needs root. `node --conditions=source bench/libbpf-ts.ts [--seconds 3]`, or `make bench-libbpf-ts`.
 */
import { availableParallelism, loadavg, release } from "node:os";
import { parseArgs } from "node:util";
import { measureMaps } from "./libbpf-ts/maps.ts";
import { measureRing } from "./libbpf-ts/ring.ts";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "3" } } });
const seconds = Number(values.seconds);
if (!(seconds > 0)) throw new RangeError(`--seconds ${values.seconds} is no length of time`);

const [load = 0] = loadavg();
console.log(
  `Linux ${release()}, ${availableParallelism()} cores, load ${load.toFixed(1)}, Node ${process.version}, ${new Date().toISOString()}`,
);
console.log(`Best of three, millions a second.\n`);

const row = (name: string, rate: string, target: string, note: string) =>
  console.log(`${name.padEnd(34)}${rate.padStart(8)}${target.padStart(10)}  ${note}`);
row("", "M/s", "target", "");
for (const { name, perSecond, target } of measureMaps(seconds)) {
  row(name, (perSecond / 1e6).toFixed(2), target === undefined ? "" : (target / 1e6).toFixed(0), "");
}
for (const mode of ["packed", "arrays"] as const) {
  const { perSecond, dropped, produced, batches } = await measureRing(mode, seconds);
  const share = `${((100 * dropped) / produced).toFixed(1)} % found the ring full, ${Math.round(produced / batches)} a batch`;
  row(`ring buffer, ${mode}`, (perSecond / 1e6).toFixed(2), mode === "packed" ? "5" : "", share);
}
