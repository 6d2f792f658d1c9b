/** What verifying a log took. */
export interface Measured {
  readonly events: number;
  readonly seconds: number;
  /** The largest resident memory. */
  readonly bytes: number;
  readonly differences: number;
}

const EVENTS_PER_SECOND = 100_000;
const MEGABYTE = 1e6;
/** Of a log of a million events; one that is shorter has no more. */
const LONG_LOG = { events: 1_000_000, seconds: 15, bytes: 300 * MEGABYTE } as const;

/** What is not as it has to be. */
export function judge({ events, seconds, bytes, differences }: Measured): string[] {
  const rate = Math.round(events / seconds);
  return [
    ...(differences === 0 ? [] : [`${differences} differences: the log does not replay`]),
    ...(rate >= EVENTS_PER_SECOND ? [] : [`${rate} events/s; has to be ${EVENTS_PER_SECOND}`]),
    ...(seconds < LONG_LOG.seconds || events > LONG_LOG.events * 1.1
      ? []
      : [`${seconds.toFixed(2)} s; a million events have to take less than ${LONG_LOG.seconds} s`]),
    ...(bytes < LONG_LOG.bytes
      ? []
      : [`${Math.round(bytes / MEGABYTE)} MB; has to be less than ${LONG_LOG.bytes / MEGABYTE} MB`]),
  ];
}
