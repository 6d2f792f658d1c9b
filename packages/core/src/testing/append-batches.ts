import { EventLog } from "../log/event-log.ts";
import { EventLogReader } from "../log/reader.ts";
import { silentLogger } from "../logger.ts";
import { hostAddressesRecord } from "./log-records.ts";

/**
 * Run as a process of its own: appends argv[3] rows to the log at argv[2], each one when the one before it was acknowledged. Then it is
 * killed half a second later (argv[4] is `killed`), or closes the log while somebody reads it (`read`).
 */
const [path, rows, end] = process.argv.slice(2) as [string, string, "killed" | "read"];
const log = await EventLog.open({ path, appendDeadlineMs: 5000, keepEvents: 1e9, log: silentLogger });
for (let seq = 1; seq <= Number(rows); seq++) {
  if ((await log.append([hostAddressesRecord(seq)])) !== "logged") throw new Error(`row ${seq} is not in the log`);
}
if (end === "killed") {
  setTimeout(() => process.kill(process.pid, "SIGKILL"), 500);
} else {
  using reader = EventLogReader.open(path);
  reader.lastSeq(); // now it has the database open
  await log[Symbol.asyncDispose]();
}
