import { closeSync, existsSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { LOG_SCHEMA_VERSION } from "../events/upgrade.ts";
import { removeDamaged } from "./damaged-files.ts";
import { type LogLimits, sharesOf } from "./limits.ts";
import { prepared } from "./prepared.ts";
import { giveBack, prune, pruneForRoom } from "./pruning.ts";
import { giveUpReserve, isCrowded, takeReserve } from "./reserve.ts";
import {
  LOG_MIGRATIONS,
  LOG_SCHEMA,
  type LogRow,
  SQLITE_CORRUPT,
  SQLITE_FULL,
  SQLITE_IOERR_SHMSIZE,
  SQLITE_NOTADB,
} from "./schema.ts";

/** A file that is a good database, but not one to write to. */
export class RefusedLog extends Error {
  readonly code: "ERR_LOG_NEWER_SCHEMA" | "ERR_LOG_FOREIGN";

  constructor(code: RefusedLog["code"], message: string) {
    super(message);
    this.name = "RefusedLog";
    this.code = code;
  }
}

export interface DatabaseOptions {
  /** How long SQLite waits for another process's lock before it gives up, in milliseconds. */
  readonly busyTimeoutMs: number;
  readonly limits: LogLimits;
  /** Read the whole file for damage first. */
  readonly check: boolean;
}

/** The writer's side of the file: one connection, on the writer's thread. */
export class LogDatabase implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #limits: LogLimits;
  readonly #inode: number;
  #hasReserve = false;

  private constructor(db: DatabaseSync, path: string, limits: LogLimits) {
    this.#db = db;
    this.#path = path;
    this.#limits = limits;
    this.#inode = statSync(path).ino;
  }

  /**
   * Opens or creates the file. Throws {@link RefusedLog}, or SQLite's error ({@link isDamage} tells whether the file is broken).
   */
  static open(path: string, options: DatabaseOptions): LogDatabase {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Who is on the node need not know all of its pods, and the directory may be somebody else's (a volume of the kubelet's: 0755). SQLite
    // gives what it keeps beside the file the file's own mode (findCreateFileMode() in os_unix.c).
    if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
    const db = new DatabaseSync(path, { timeout: options.busyTimeoutMs });
    try {
      const version = schemaVersion(db);
      if (version > LOG_SCHEMA_VERSION) throw new RefusedLog("ERR_LOG_NEWER_SCHEMA", newerSchema(path, version));
      if (version === 0) prepare(db, path);
      // NORMAL: a commit does not wait for the disk, and survives this process (sqlite.org/pragma.html#pragma_synchronous); DiskSync sees to the rest.
      db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
      boundWal(db, sharesOf(options.limits).wal);
      if (version === 0) db.exec(`BEGIN IMMEDIATE; ${LOG_SCHEMA} COMMIT;`);
      else migrate(db, version);
      if (options.check) check(db);
      return new LogDatabase(db, path, options.limits);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  lastSeq(): number {
    return (this.#db.prepare("SELECT coalesce(max(seq), 0) AS seq FROM event").get() as { seq: number }).seq;
  }

  /** All rows or none. Throws when the file is not the one that was opened: what goes there would be lost. */
  insert(rows: readonly LogRow[]): void {
    if (!existsSync(this.#path) || statSync(this.#path).ino !== this.#inode) {
      throw new Error(`${this.#path} was removed or replaced while it was in use`);
    }
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const statement = prepared(
        this.#db,
        "INSERT INTO event (seq, time, type, subject, data, schema) VALUES (?, ?, ?, ?, ?, ?)",
      );
      for (const row of rows) statement.run(...row, LOG_SCHEMA_VERSION);
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /** What comes round with every commit: deletes the oldest stretch if that is beyond a limit, and keeps room for a full disk. */
  tidy(now: Date): number {
    const { reserve } = sharesOf(this.#limits);
    const deleted = prune(this.#db, this.#limits, now);
    giveBack(this.#db, this.#limits);
    if (isCrowded(this.#path, reserve)) return deleted + pruneForRoom(this.#db);
    this.#hasReserve ||= takeReserve(this.#path, reserve);
    return deleted;
  }

  /**
   * On a full disk: gives up whatever is least worth keeping, which is damaged files, the reserve and the oldest rows. Returns whether there
   * was any of it. The newest snapshot stays, and what is behind it.
   */
  makeRoom(): boolean {
    const removed = removeDamaged(this.#path, { keep: 0, maxBytes: 0 }) > 0;
    const given = giveUpReserve(this.#path);
    this.#hasReserve = false;
    let [pruned, deleted] = [0, 0];
    do {
      // Moved into the database and cut off, the write-ahead log makes room for what deleting writes there.
      unlessFull(() => this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
      deleted = unlessFull(() => pruneForRoom(this.#db)) ?? 0;
      pruned += deleted;
    } while (deleted > 0);
    return removed || given || pruned > 0;
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

export function schemaVersion(db: DatabaseSync): number {
  return (db.prepare("PRAGMA user_version").get() as { user_version: number }).user_version;
}

export function newerSchema(path: string, version: number): string {
  return (
    `${path} has schema version ${version}, this version of Millrace knows ${LOG_SCHEMA_VERSION}. ` +
    "Run the version that wrote it, or move the file away to begin a new log."
  );
}

/** The file itself is broken, as against a disk that is full or a lock that is held. */
export function isDamage(error: unknown): boolean {
  const code = ((error as { errcode?: number } | null)?.errcode ?? 0) & 0xff;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** The disk is full, told when writing or when the index of the write-ahead log is to grow. */
export function isFull(error: unknown): boolean {
  const code = (error as { errcode?: number } | null)?.errcode ?? 0;
  return (code & 0xff) === SQLITE_FULL || code === SQLITE_IOERR_SHMSIZE;
}

/** For what cannot be done on a disk that is fuller still: the rows are then held, and it is tried again. */
function unlessFull<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (isFull(error)) return undefined;
    throw error;
  }
}

/** What has to come before the first page is written. */
function prepare(db: DatabaseSync, path: string): void {
  const { n } = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number };
  if (n > 0) {
    throw new RefusedLog(
      "ERR_LOG_FOREIGN",
      `${path} is a database of something else. Point eventLog.path at a file of its own.`,
    );
  }
  // Pages that pruning frees can be given back, a few at a time (sqlite.org/pragma.html#pragma_auto_vacuum).
  db.exec("PRAGMA auto_vacuum = INCREMENTAL");
}

/** A reader that stays keeps it from being moved into the database; afterwards the file is cut to size again (pragma_journal_size_limit). */
function boundWal(db: DatabaseSync, bytes: number): void {
  const { page_size: size } = db.prepare("PRAGMA page_size").get() as { page_size: number };
  db.exec(`PRAGMA wal_autocheckpoint = ${Math.floor(bytes / size)}; PRAGMA journal_size_limit = ${bytes}`);
}

/** One transaction: a crash leaves the old version or the new one. */
function migrate(db: DatabaseSync, version: number): void {
  const steps = LOG_MIGRATIONS.slice(version - 1);
  if (steps.length > 0) db.exec(`BEGIN IMMEDIATE; ${steps.join(" ")} COMMIT;`);
}

function check(db: DatabaseSync): void {
  const { quick_check: verdict } = db.prepare("PRAGMA quick_check(1)").get() as { quick_check: string };
  if (verdict !== "ok") throw Object.assign(new Error(verdict), { errcode: SQLITE_CORRUPT });
}
