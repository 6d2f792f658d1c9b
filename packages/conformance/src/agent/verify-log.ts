import { existsSync } from "node:fs";
import { EventLogReader, verify } from "@millrace/core/internal";
import { LabError } from "../errors.ts";

/**
 * Every agent of a test leaves a log, and what it decided is decided again, byte for byte: each test tests this too. Returns how many events
 * that are. Throws ERR_AGENT_LOG with the first difference.
 */
export function verifyLog(path: string): number {
  if (!existsSync(path)) throw new LabError("ERR_AGENT_LOG", `the agent left no event log at ${path}`);
  using reader = EventLogReader.open(path);
  const { events, differences } = verify(reader.rows());
  const [difference] = differences;
  if (difference === undefined) return events;
  const { kind, seq, recorded, decided } = difference;
  throw new LabError("ERR_AGENT_LOG", `the event log ${path} does not replay: event ${seq} (${kind})`, {
    details: [...recorded.map((line) => `recorded ${line}`), ...decided.map((line) => `decided  ${line}`)].join("\n"),
  });
}
