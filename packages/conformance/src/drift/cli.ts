#!/usr/bin/env node
import { parseArgs } from "node:util";
import { LabError } from "../errors.ts";
import { SLOW } from "../slow.ts";
import { BACKENDS } from "./catalogue.ts";
import { runDrift } from "./run.ts";
import type { Struck } from "./strike.ts";

const USAGE = `Usage: node packages/conformance/dist/drift/cli.js --backend ${BACKENDS.join("|")}
  --attach tcx|clsact    how the ebpf backend attaches
  --flavour nft|legacy   which iptables the iptables backend uses
  --only <expression>    these strikes alone, by a regular expression of their names: "hook, changed"

Deletes and changes every kind of object that the backend keeps, one at a time, behind the back of an agent that compares with the kernel at its default
interval. Exit status: 0 when each was found and mended within 30 s and every line of the kernel's state is some kind's, 1 otherwise, 2 for wrong usage.
`;

/** What has to be shown, with the default interval. */
const LIMIT_MS = 30_000 * SLOW;

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      backend: { type: "string", default: "" },
      attach: { type: "string" },
      flavour: { type: "string" },
      only: { type: "string" },
    },
  });
  const { backend, attach, flavour, only } = values;
  if (!BACKENDS.includes(backend)) throw new LabError("ERR_SUITE_USAGE", USAGE);
  const chosen = Object.entries({ attach, flavour }).filter(([, value]) => value !== undefined);
  const { struck, unaccounted, clashes } = await runDrift({
    backend,
    backendConfig: Object.fromEntries(chosen),
    plugins: [],
    prefix: "drf",
    ...(only !== undefined && { only: new RegExp(only) }),
    onStruck: (each) => process.stdout.write(`${render(each)}\n`),
  });
  for (const line of unaccounted) process.stdout.write(`no kind accounts for ${line}\n`);
  for (const line of clashes) process.stdout.write(`foreign objects: ${line}\n`);
  const done = struck.filter(isDone);
  const slowest = Math.max(0, ...struck.map(({ mendedMs = 0 }) => mendedMs));
  process.stdout.write(
    `drift: ${struck.length} objects, ${done.length} found and mended, slowest ${(slowest / 1000).toFixed(1)} s\n`,
  );
  return struck.length > 0 && done.length === struck.length && unaccounted.length + clashes.length === 0 ? 0 : 1;
}

const isDone = ({ failures, mendedMs = Number.POSITIVE_INFINITY }: Struck): boolean =>
  failures.length === 0 && mendedMs <= LIMIT_MS;

function render(struck: Struck): string {
  const { name, foundMs, mendedMs, meanwhile, failures } = struck;
  const after = (ms: number | undefined) => (ms === undefined ? "never" : `after ${(ms / 1000).toFixed(1)} s`);
  const counts = `${meanwhile.captured} captured, ${meanwhile.failed} failed, ${meanwhile.escaped} past the proxy`;
  const line = `${isDone(struck) ? "ok  " : "FAIL"} ${name}: found ${after(foundMs)}, mended ${after(mendedMs)}; meanwhile ${counts}`;
  return [line, ...failures.map((failure) => `     ${failure}`)].join("\n");
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof LabError ? error.message : ((error as Error).stack ?? error)}\n`);
  process.exitCode = error instanceof LabError && error.code === "ERR_SUITE_USAGE" ? 2 : 1;
}
