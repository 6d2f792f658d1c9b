import { EventLog } from "../log/event-log.ts";
import { silentLogger } from "../logger.ts";
import { hostAddressesRecord } from "./log-records.ts";

/** Run as a process of its own: appends to the log at argv[2] until it is killed, and prints the last `seq` that was acknowledged. */
const log = await EventLog.open({
  path: process.argv[2] as string,
  appendDeadlineMs: 5000,
  keepEvents: 1e9,
  log: silentLogger,
});
const inFlight: Promise<void>[] = [];
for (let seq = log.lastSeq + 1; ; seq += 3) {
  const rows = [seq, seq + 1, seq + 2].map(hostAddressesRecord);
  inFlight.push(
    log.append(rows).then((appended) => {
      if (appended === "logged") process.stdout.write(`${seq + 2}\n`);
    }),
  );
  // Several batches are on their way at once, so that some are cut off in the middle.
  if (inFlight.length === 8) await Promise.all(inFlight.splice(0));
}
