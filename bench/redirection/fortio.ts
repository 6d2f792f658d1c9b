import { homedir } from "node:os";
import { join } from "node:path";
import type { Load } from "./loads.ts";
import type { Counted } from "./sample.ts";

/** As `scripts/setup-fortio.sh` builds it; MILLRACE_FORTIO names another. */
const fortio = (): string =>
  process.env.MILLRACE_FORTIO ??
  join(process.env.MILLRACE_CACHE ?? join(homedir(), ".cache/millrace"), "fortio", "fortio");

/** The field's own command. Its histogram begins with steps of a millisecond, which is more than most answers take here: `-r`. */
export const fortioCommand = ({ connections, qps = 0 }: Load, url: string, seconds: number): string[] => [
  fortio(),
  "load",
  "-uniform",
  ...["-qps", `${qps}`, "-c", `${connections}`, "-t", `${seconds}s`],
  ...["-r", "0.00001", "-p", "50,75,99", "-json", "-", "-loglevel", "Error"],
  url,
];

interface Result {
  readonly ActualDuration: number;
  readonly RetCodes: Readonly<Record<string, number>>;
  /** Of answers, heads and bodies. */
  readonly Sizes: { readonly Sum: number };
  readonly DurationHistogram: {
    readonly Count: number;
    readonly Percentiles: readonly { readonly Percentile: number; readonly Value: number }[];
  };
}

/** Its durations are nanoseconds, its latencies seconds. */
export function readFortio(output: string): Counted {
  const result: Result = JSON.parse(output.slice(output.indexOf("{")));
  const { Count: requests, Percentiles } = result.DurationHistogram;
  const percentile = (wanted: number): number =>
    (Percentiles.find(({ Percentile }) => Percentile === wanted)?.Value ?? Number.NaN) * 1e3;
  return {
    requests,
    seconds: result.ActualDuration / 1e9,
    bytes: result.Sizes.Sum,
    failed: requests - (result.RetCodes["200"] ?? 0),
    p50: percentile(50),
    p75: percentile(75),
    p99: percentile(99),
  };
}
