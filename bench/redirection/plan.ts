import {
  BULK,
  CONNECT,
  CONNECTIONS,
  HTTP,
  LATENCY_CONNECTIONS,
  type Load,
  latency,
  maxQps,
  ROUND_TRIP,
} from "./loads.ts";
import { chosenModes, MODES, type Mode } from "./modes.ts";
import type { Path, Pinning, Rig } from "./sample.ts";

/** Loads that are measured in every mode, under the same circumstances. */
export interface Series {
  readonly rig: Rig;
  readonly pinning: Pinning;
  readonly path: Path;
  readonly loads: readonly Load[];
  readonly repetitions: number;
  /** Of each load. */
  readonly seconds: number;
}

export interface Plan {
  readonly name: "full" | "quick" | "check";
  readonly modes: readonly Mode[];
  readonly series: readonly Series[];
}

/** Namespaces that are made for it alone: one mode once, with all loads of its series one after the other. */
export interface Cell extends Omit<Series, "repetitions"> {
  readonly mode: Mode;
  /** From 1 up. */
  readonly repetition: number;
}

const WRK = [HTTP, BULK, ROUND_TRIP, CONNECT];
const FORTIO = [...CONNECTIONS.map(maxQps), ...CONNECTIONS.map(latency)];

export const FULL: Plan = {
  name: "full",
  modes: MODES,
  series: [
    { rig: "light", pinning: "one-cpu", path: "same-node", loads: WRK, repetitions: 5, seconds: 4 },
    { rig: "light", pinning: "any-cpu", path: "same-node", loads: WRK, repetitions: 3, seconds: 4 },
    { rig: "haproxy", pinning: "one-cpu", path: "same-node", loads: [HTTP, CONNECT], repetitions: 3, seconds: 4 },
    { rig: "light", pinning: "one-cpu", path: "same-node", loads: FORTIO, repetitions: 3, seconds: 3 },
    { rig: "light", pinning: "one-cpu", path: "two-nodes", loads: FORTIO, repetitions: 3, seconds: 3 },
  ],
};

export const QUICK: Plan = {
  name: "quick",
  modes: chosenModes(["direct", "explicit", "ebpf-tcx", "iptables-nft"]),
  series: [
    {
      rig: "light",
      pinning: "one-cpu",
      path: "same-node",
      loads: [HTTP, BULK, CONNECT, latency(LATENCY_CONNECTIONS)],
      repetitions: 3,
      seconds: 1,
    },
  ],
};

/** Whether everything works: its figures mean nothing. */
export const CHECK: Plan = {
  name: "check",
  modes: MODES,
  series: [
    {
      rig: "light",
      pinning: "one-cpu",
      path: "same-node",
      loads: [HTTP, CONNECT, maxQps(1), maxQps(LATENCY_CONNECTIONS), latency(1), latency(LATENCY_CONNECTIONS)],
      repetitions: 1,
      seconds: 0.3,
    },
    { rig: "haproxy", pinning: "one-cpu", path: "same-node", loads: [HTTP], repetitions: 1, seconds: 0.3 },
  ],
};

/**
 * All cells in the order in which they are measured: each repetition has every mode, and begins with another one than the repetition before, so that what
 * drifts on the machine is spread over all of them.
 */
export function cells({ modes, series }: Plan): Cell[] {
  return series.flatMap(({ repetitions, ...circumstances }) =>
    Array.from({ length: repetitions }, (_, done) =>
      modes.map((_, index): Cell => {
        const mode = modes[(index + done) % modes.length] as Mode;
        return { ...circumstances, mode, repetition: done + 1 };
      }),
    ).flat(),
  );
}
