import { Bed } from "./bed.ts";
import { cpuTime, readTimed, timedCommand } from "./cpu-time.ts";
import { fortioCommand, readFortio } from "./fortio.ts";
import type { Load } from "./loads.ts";
import { pinned } from "./pinned.ts";
import type { Cell } from "./plan.ts";
import { proxyTraffic } from "./proxy-traffic.ts";
import type { Sample } from "./sample.ts";
import { wrongWay } from "./validity.ts";
import { readWrk, wrkCommand } from "./wrk.ts";

/** How long a client may take beyond its load: on a machine that is busy with other things. */
const PATIENCE_MS = 120_000;

const TOOLS = {
  wrk: { command: wrkCommand, read: readWrk },
  fortio: { command: fortioCommand, read: readFortio },
} as const;

/** Makes a cell's namespaces, measures all its loads there, and takes them away. Throws where a load went another way than the mode's. */
export async function measure(cell: Cell): Promise<Sample[]> {
  await using bed = await Bed.create(cell);
  const samples: Sample[] = [];
  for (const load of cell.loads) samples.push(await run(bed, cell, load));
  return samples;
}

async function run(bed: Bed, { rig, mode, pinning, path, repetition, seconds }: Cell, load: Load): Promise<Sample> {
  const before = await look(bed);
  const { command, read } = TOOLS[load.tool];
  const client = timedCommand(pinned(pinning, command(load, `${bed.url}/${load.bytes}`, seconds)));
  const [file = "", ...rest] = client;
  const finished = await bed.client.namespace.run(file, rest, { timeoutMs: seconds * 1e3 + PATIENCE_MS });
  if (finished.status !== 0) {
    throw new Error(
      `${load.tool} ended with ${finished.status ?? finished.signal} in ${mode.name}, ${load.name}: ${finished.stderr}`,
    );
  }
  const after = await look(bed);
  const counted = read(finished.stdout);
  const proxy = {
    accepted: after.traffic.accepted - before.traffic.accepted,
    bytes: after.traffic.bytes - before.traffic.bytes,
  };
  const wrong = wrongWay(mode.isProxied, proxy, counted.bytes);
  if (wrong !== undefined) throw new Error(`${mode.name}, ${load.name}, ${path}: ${wrong}`);
  const cpu = {
    client: readTimed(finished.stderr),
    proxy: after.proxy - before.proxy,
    server: after.server - before.server,
  };
  return { ...counted, rig, pinning, path, mode: mode.name, repetition, load, cpu, proxy };
}

async function look({ proxyNamespace, proxy, server }: Bed) {
  const traffic = await proxyTraffic(proxyNamespace);
  return { traffic, proxy: cpuTime(proxy.pid), server: cpuTime(server.pid) };
}
