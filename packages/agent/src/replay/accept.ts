import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { type Difference, formatHeader, replay, Tally } from "@millrace/core/internal";
import { AgentError } from "../errors.ts";
import { openRecording } from "./recording.ts";

/**
 * Records what today's code decides about the inputs of an exported log, in the place of what was recorded, and tells what differed. Rows behind
 * an intent that came or went get other numbers; outcomes of intents that are not decided any more are left out. A log in which nothing
 * differs is left as it is, byte for byte. Throws ERR_ACCEPT_LOG, ERR_ACCEPT_INCOMPLETE.
 */
export function acceptDecisions(path: string): readonly Difference[] {
  const found = survey(path);
  if (found.differences.length > 0) rewrite(path, found);
  return found.differences;
}

interface Survey {
  readonly differences: readonly Difference[];
  readonly header: Parameters<typeof formatHeader>[0];
}

function survey(path: string): Survey {
  using recording = openRecording(path);
  if (recording.isDatabase || !recording.isFile) {
    const what = recording.isFile ? "the log of an agent, which is never rewritten" : "no file";
    throw new AgentError("ERR_ACCEPT_LOG", `${path} is ${what}`);
  }
  const tally = new Tally();
  let [first, last, node] = [0, 0, undefined as string | undefined];
  for (const turn of replay(recording.rows())) {
    tally.add(turn);
    for (const { record } of turn.rows()) {
      first ||= record.seq;
      last = record.seq;
    }
    node = turn.after.agent?.node ?? node;
  }
  tally.end(recording.last);
  const { differences } = tally.result;
  const missing = differences.find(({ kind }) => kind === "missing");
  if (missing !== undefined) {
    throw new AgentError("ERR_ACCEPT_INCOMPLETE", `${path}: event ${missing.seq} is missing, and no log.gap tells why`);
  }
  return { differences, header: { ...(node !== undefined && { node }), first, last, redacted: recording.redacted } };
}

/** The old file stays until the new one is complete. */
function rewrite(path: string, { header }: Survey): void {
  const partial = `${path}.partial`;
  const fd = openSync(partial, "w");
  try {
    using recording = openRecording(path);
    writeSync(fd, `${formatHeader(header)}\n`);
    for (const turn of replay(recording.rows())) for (const { line } of turn.rows()) writeSync(fd, `${line}\n`);
    fsyncSync(fd);
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}
