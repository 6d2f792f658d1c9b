import type { Load } from "./loads.ts";
import { clientShare, cpuPerRequest, figureOf, type Path, type Pinning, type Rig, type Sample } from "./sample.ts";
import { type Spread, spread } from "./spread.ts";
import { invalidRow } from "./validity.ts";

/** One load under the same circumstances, in every mode. */
export interface Row {
  readonly load: Load;
  readonly rig: Rig;
  readonly pinning: Pinning;
  readonly path: Path;
  readonly cells: readonly RowCell[];
  /** Why the modes must not be compared; absent where they may. */
  readonly invalid?: string;
}

export interface RowCell {
  readonly mode: string;
  /** In the unit of the load's figure. */
  readonly value: Spread;
  /** Medians; see {@link clientShare} and {@link cpuPerRequest}. */
  readonly clientShare: number;
  readonly cpuPerRequest: number;
  /** Requests a second, the median. */
  readonly qps: number;
}

/** In the order in which samples came first. */
export function rows(samples: readonly Sample[]): Row[] {
  const key = ({ load, rig, pinning, path }: Sample) => `${load.name} ${rig} ${pinning} ${path}`;
  return [...Map.groupBy(samples, key).values()].map((own) => {
    const { load, rig, pinning, path } = own[0] as Sample;
    const invalid = invalidRow(own);
    const modes = [...Map.groupBy(own, ({ mode }) => mode)];
    return { load, rig, pinning, path, cells: modes.map(rowCell), ...(invalid === undefined ? {} : { invalid }) };
  });
}

function rowCell([mode, samples]: [string, Sample[]]): RowCell {
  const median = (of: (sample: Sample) => number) => spread(samples.map(of)).median;
  return {
    mode,
    value: spread(samples.map(figureOf)),
    clientShare: median(clientShare),
    cpuPerRequest: median(cpuPerRequest),
    qps: median(({ requests, seconds }) => requests / seconds),
  };
}
