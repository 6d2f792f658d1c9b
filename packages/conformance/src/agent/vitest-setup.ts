import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accountOf, describeAccount, type LogNote, NOTES_VARIABLE } from "./log-account.ts";

/**
 * Vitest's `globalSetup`: the processes of a run add their notes to one file, and in the end every agent that was started has to have been
 * verified. Fails the run where one was not, and says how many there were.
 */
export default function setup(): () => void {
  const directory = mkdtempSync(join(tmpdir(), "millrace-agent-logs-"));
  const file = join(directory, "notes.jsonl");
  process.env[NOTES_VARIABLE] = file;
  return () => {
    delete process.env[NOTES_VARIABLE];
    const account = accountOf(readNotes(file));
    rmSync(directory, { recursive: true });
    if (account.started === 0) return;
    process.stdout.write(`\n${describeAccount(account)}\n`);
    if (account.missing === 0) return;
    process.stderr.write(
      "The event log of every agent that a test starts has to be replayed: see the failures above.\n",
    );
    process.exitCode = 1;
  };
}

function readNotes(file: string): LogNote[] {
  try {
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as LogNote);
  } catch (error) {
    // No process took any.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
