/**
 * - `connecting`: a list or a watch is being asked for
 * - `watching`: the API server tells of every change
 * - `waiting`: something failed, or ended too soon, and is tried again after a pause
 * - `stopped`: before the start and after the stop
 */
export const WATCH_STATES = ["connecting", "watching", "waiting", "stopped"] as const;
export type WatchState = (typeof WATCH_STATES)[number];

/** What one watch has done since the agent started: for metrics. Counters only ever count up. */
export interface WatchStatistics {
  /** The name that events, logs and status use. */
  readonly watch: string;
  readonly state: WatchState;
  /** Complete lists; the first is the beginning, each further one a relist. */
  readonly lists: number;
  /** Watch requests that the API server has agreed to; each after the first is a restart. */
  readonly streams: number;
  /** Events but bookmarks. */
  readonly events: number;
  readonly bookmarks: number;
  /** Objects that could not be read and were left out. */
  readonly skipped: number;
  /** Objects known now. */
  readonly objects: number;
  /** When the API server last sent an event, a bookmark or a page, in milliseconds since the epoch; undefined before the first. */
  readonly lastHeardAt: number | undefined;
  /** Failures by code: `HTTP_<status>` for what the API server refused, else the error's own. */
  readonly errors: Readonly<Record<string, number>>;
}

/** The writable side, kept by the watch itself. */
export type WatchCounters = { -readonly [Key in keyof WatchStatistics]: WatchStatistics[Key] } & {
  errors: Record<string, number>;
};

export function newCounters(watch: string): WatchCounters {
  return {
    watch,
    state: "stopped",
    lists: 0,
    streams: 0,
    events: 0,
    bookmarks: 0,
    skipped: 0,
    objects: 0,
    lastHeardAt: undefined,
    errors: {},
  };
}
