import { EventLog } from "../log/event-log.ts";
import { silentLogger } from "../logger.ts";
import { hostAddressesRecord } from "./log-records.ts";

/** Run as a process of its own: appends argv[3] rows to the log at argv[2], each one when the one before it was acknowledged. */
const [path, rows] = process.argv.slice(2) as [string, string];
const log = await EventLog.open({ path, appendDeadlineMs: 5000, keepEvents: 1e9, log: silentLogger });
for (let seq = 1; seq <= Number(rows); seq++) {
  if ((await log.append([hostAddressesRecord(seq)])) !== "durable") throw new Error(`row ${seq} is not durable`);
}
await log[Symbol.asyncDispose]();
