import type { EventLogReader } from "@millrace/core/internal";
import { AgentError } from "../errors.ts";

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * The first event that is wanted: the number of one, a time (RFC 3339), or a duration before the newest event, which is the same on a copy of
 * the log somewhere else. Throws ERR_EXPORT_SINCE.
 */
export function firstWanted(reader: EventLogReader, since: string): number {
  if (/^\d{1,15}$/.test(since)) return Number(since);
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(since) ?? [];
  const newest = Date.parse(reader.lastTime() ?? "");
  const time = amount === undefined ? Date.parse(since) : newest - Number(amount) * UNITS[unit as keyof typeof UNITS];
  const isTime = amount !== undefined || /^\d{4}-\d{2}-\d{2}T/.test(since);
  if (!isTime || Number.isNaN(time)) {
    throw new AgentError("ERR_EXPORT_SINCE", `--since ${JSON.stringify(since)} is no event, no time and no duration`);
  }
  // Nothing that late: the export then has what the newest event rests on.
  return reader.firstSince(new Date(time).toISOString()) ?? reader.lastSeq();
}
