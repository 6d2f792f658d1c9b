import { closeSync, openSync } from "node:fs";
import { parseCommandLine } from "./arguments.ts";
import { exitStatus } from "./exit-status.ts";
import { runCommand } from "./run-command.ts";

// A program of its own: what runs in a lab hangs on the process that made it. It tells whoever started it the exit status, and
// lives on, without a terminal, until it gets SIGTERM and takes the lab down (signals.ts).

/** How long the longest timer of Node is; without one, nothing would keep this process alive when the lab's programs have ended. */
const LONGEST_MS = 2 ** 31 - 1;

const status = await exitStatus(async () => {
  const { status, isKept } = await runCommand(parseCommandLine(process.argv.slice(2)));
  if (isKept) setInterval(() => undefined, LONGEST_MS);
  return status;
});
process.send?.({ status }, () => {
  process.disconnect();
  // Whoever reads what was printed is to see its end now. The descriptors stay taken, so that nobody else's write ends up there.
  for (const descriptor of [1, 2]) {
    closeSync(descriptor);
    openSync("/dev/null", "w");
  }
});
