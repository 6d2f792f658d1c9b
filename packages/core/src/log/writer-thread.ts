import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { moveAside, removeDamaged } from "./damaged-files.ts";
import { isDamage, isFull, LogDatabase, RefusedLog } from "./database.ts";
import { DiskSync } from "./disk-sync.ts";
import type { LogRow } from "./schema.ts";
import type { FromWriter, ToWriter, WriterOptions } from "./writer-protocol.ts";

/**
 * The only writer of the event log, on a thread of its own: a disk that stalls stalls nothing else. Group commit comes by itself: when
 * idle, a batch is committed at once; what arrives during a commit goes into the next one together.
 */
if (parentPort === null) throw new Error("writer-thread.ts is run as a worker thread only");
const port = parentPort;
const options = workerData as WriterOptions;
const disk = new DiskSync(options.path);

let database: LogDatabase | undefined;

function say(message: FromWriter): void {
  port.postMessage(message);
}

function open(check: boolean): void {
  try {
    database?.[Symbol.dispose]();
    database = undefined;
    database = LogDatabase.open(options.path, { ...options, check });
    say({ kind: "opened", lastSeq: database.lastSeq() });
  } catch (error) {
    if (error instanceof RefusedLog) say({ kind: "refused", code: error.code, message: error.message });
    else if (isDamage(error)) startAfresh(error);
    else say({ kind: "open-failed", reason: reasonOf(error) });
  }
}

function startAfresh(damage: unknown): void {
  try {
    const movedTo = moveAside(options.path, new Date());
    removeDamaged(options.path, { maxBytes: options.limits.maxBytes });
    database = LogDatabase.open(options.path, { ...options, check: false });
    say({ kind: "opened", lastSeq: database.lastSeq(), movedTo, damage: reasonOf(damage) });
  } catch (error) {
    say({ kind: "open-failed", reason: `${reasonOf(damage)}; and it could not be moved aside: ${reasonOf(error)}` });
  }
}

/** On a full disk once again, when the oldest rows have made room. */
function insert(database: LogDatabase, rows: readonly LogRow[]): void {
  try {
    database.insert(rows);
  } catch (error) {
    if (!isFull(error) || !database.makeRoom()) throw error;
    database.insert(rows);
  }
}

function commit(batches: readonly Extract<ToWriter, { kind: "append" }>[]): void {
  const ids = batches.map(({ id }) => id);
  const rows = batches.flatMap((batch) => batch.rows);
  try {
    if (database === undefined) throw new Error("the log is not open");
    insert(database, rows);
    disk.committed();
    say({ kind: "committed", ids });
  } catch (error) {
    say({ kind: "failed", ids, reason: reasonOf(error) });
    // Whatever was wrong (full, read-only, replaced, damaged), a new connection finds out on the way to recovery. Batches that are on
    // their way already fail too: rows before them are missing, which has to be said first.
    if (database !== undefined) {
      database[Symbol.dispose]();
      database = undefined;
    }
  }
}

function tidy(): void {
  try {
    database?.tidy(new Date());
  } catch (error) {
    // The rows are in the log already; this comes round again with the next batch.
    process.emitWarning(`event log: old rows could not be deleted: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

port.on("message", (first: ToWriter) => {
  const messages = [first];
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    messages.push(next.message as ToWriter);
  }
  let batches: Extract<ToWriter, { kind: "append" }>[] = [];
  const flush = () => {
    if (batches.length > 0) commit(batches);
    batches = [];
  };
  for (const message of messages) {
    if (message.kind !== "append") flush();
    if (message.kind === "append") batches.push(message);
    if (message.kind === "open") open(true);
    if (message.kind === "close") {
      database?.[Symbol.dispose]();
      database = undefined;
      void disk[Symbol.asyncDispose]().then(() => {
        say({ kind: "closed" });
        port.close();
      });
      return;
    }
  }
  flush();
  tidy();
});

open(true);
