export interface Distribution {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Percentiles by nearest rank: the smallest value that at least that share of all is not above. */
export function distribution(values: readonly number[]): Distribution {
  if (values.length === 0) throw new RangeError("there is no distribution of nothing");
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
  return { p50: rank(0.5), p99: rank(0.99), max: rank(1) };
}
