import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openPortableLog, verify } from "@millrace/core/internal";
import { BusyNode } from "./replay/busy-node.ts";
import { judge, type Measured } from "./replay/judge.ts";

/**
 * `node bench/dist/replay.js EVENTS`: how fast a recorded log is verified, and in how much memory. With `--judge` it fails where that is not
 * as fast as it has to be.
 */

const MIB = 1 << 20;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { judge: { type: "boolean", default: false }, measure: { type: "string" } },
});
if (values.measure !== undefined) measure(values.measure, values.judge);
else write(Number(positionals[0] ?? 1_000_000), values.judge);

/** In a process of its own, whose memory is that of verifying and nothing else. */
function measure(path: string, isJudged: boolean): void {
  const begin = performance.now();
  const { header, rows } = openPortableLog(path);
  const { events, intents, snapshots, differences } = verify(rows(), header?.last);
  const seconds = (performance.now() - begin) / 1000;
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const cpuSeconds = (userCPUTime + systemCPUTime) / 1e6;
  const measured: Measured = { events, seconds, bytes: maxRSS * 1024, differences: differences.length };
  console.log(`${events} events, ${intents} intents, ${snapshots} snapshots, ${differences.length} differences`);
  console.log(
    `${seconds.toFixed(2)} s: ${Math.round(events / seconds)} events/s (${cpuSeconds.toFixed(2)} s of processor time)`,
  );
  console.log(`largest memory ${Math.round(measured.bytes / MIB)} MiB`);
  if (!isJudged) return;
  const failures = judge(measured);
  for (const failure of failures) console.log(`FAIL  ${failure}`);
  console.log(`bench-replay: ${failures.length === 0 ? "as fast and as small as it has to be" : "FAILED"}`);
  if (failures.length > 0) process.exitCode = 1;
}

function write(events: number, isJudged: boolean): void {
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-replay-"));
  try {
    const path = join(directory, "node.jsonl");
    const fd = openSync(path, "w");
    const node = new BusyNode();
    let waiting: string[] = [];
    for (const line of node.lines(events)) {
      waiting.push(line);
      if (waiting.length < 1000) continue;
      writeSync(fd, waiting.join(""));
      waiting = [];
    }
    writeSync(fd, waiting.join(""));
    closeSync(fd);
    const { drift, restarts, switches } = node.happenings;
    console.log(
      `a log of ${Math.round(statSync(path).size / MIB)} MiB: drift found and mended ${drift} times, ${restarts} restarts, ${switches} switches of the node`,
    );
    // As the command itself is run: see the first line of packages/agent/src/main.ts.
    const flags = [...process.execArgv, "--max-semi-space-size=16"];
    const args = [fileURLToPath(import.meta.url), "--measure", path, ...(isJudged ? ["--judge"] : [])];
    const { status } = spawnSync(process.execPath, [...flags, ...args], { stdio: "inherit" });
    process.exitCode = status ?? 1;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
