import { appendFileSync } from "node:fs";
import type { Verdicts } from "../support/datapath.ts";

/** Names the file that every test's datapath adds its verdicts to, a line of JSON each. Not set: nothing is noted. */
export const NOTES_VARIABLE = "MILLRACE_VERDICT_NOTES";

export function noteVerdicts(verdicts: Verdicts): void {
  const file = process.env[NOTES_VARIABLE];
  if (file) appendFileSync(file, `${JSON.stringify(verdicts)}\n`);
}
