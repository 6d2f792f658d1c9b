import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { LOG_SCHEMA, LOG_SCHEMA_VERSION, type LogRow, SQLITE_CORRUPT, SQLITE_NOTADB } from "./schema.ts";

/** A file that is a good database, but not one to write to. */
export class RefusedLog extends Error {
  readonly code: "ERR_LOG_NEWER_SCHEMA" | "ERR_LOG_FOREIGN";

  constructor(code: RefusedLog["code"], message: string) {
    super(message);
    this.name = "RefusedLog";
    this.code = code;
  }
}

/** The writer's side of the file: one connection, on the writer's thread. */
export class LogDatabase implements Disposable {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #inode: number;
  #rows: number;

  private constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#inode = statSync(path).ino;
    this.#rows = (db.prepare("SELECT count(*) AS n FROM event").get() as { n: number }).n;
  }

  /**
   * Opens or creates the file. `check`: read the whole file for damage first. Throws {@link RefusedLog}, or SQLite's error
   * ({@link isDamage} tells whether the file is broken).
   */
  static open(path: string, options: { busyTimeoutMs: number; check: boolean }): LogDatabase {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Who is on the node need not know all of its pods, and the directory may be somebody else's (a volume of the kubelet's: 0755). SQLite
    // gives what it keeps beside the file the file's own mode (findCreateFileMode() in os_unix.c).
    if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
    const db = new DatabaseSync(path, { timeout: options.busyTimeoutMs });
    try {
      const version = schemaVersion(db);
      if (version > LOG_SCHEMA_VERSION) throw new RefusedLog("ERR_LOG_NEWER_SCHEMA", newerSchema(path, version));
      // FULL: a commit that was acknowledged survives a power cut (sqlite.org/pragma.html#pragma_synchronous).
      db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      if (version === 0) create(db, path);
      if (options.check) check(db);
      return new LogDatabase(db, path);
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
      const statement = this.#db.prepare("INSERT INTO event (seq, time, type, subject, data) VALUES (?, ?, ?, ?, ?)");
      for (const row of rows) statement.run(...row);
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    this.#rows += rows.length;
  }

  /**
   * Deletes old rows when there are more than `keep`, up to the newest snapshot that leaves `keep` rows: the log then begins with a
   * snapshot, so that it can be replayed from its first row. At most `atMost` rows at once, to keep the writer's pauses short.
   */
  prune(keep: number, atMost = 10_000): number {
    if (this.#rows <= keep) return 0;
    const bound = this.#db
      .prepare(
        "SELECT max(seq) AS seq FROM event WHERE type = 'state.snapshot' AND seq <= (SELECT max(seq) FROM event) - ?",
      )
      .get(keep) as { seq: number | null };
    if (bound.seq === null) return 0;
    const deleted = this.#db
      .prepare("DELETE FROM event WHERE seq < min(?, (SELECT min(seq) FROM event) + ?)")
      .run(bound.seq, atMost);
    this.#rows -= Number(deleted.changes);
    return Number(deleted.changes);
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

/** Puts a broken file and what belongs to it out of the way, and says where. Nothing is deleted: somebody may want to look. */
export function moveAside(path: string, now: Date): string {
  const target = `${path}.damaged-${now.toISOString().replaceAll(":", "")}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
  }
  return target;
}

function create(db: DatabaseSync, path: string): void {
  const { n } = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number };
  if (n > 0) {
    throw new RefusedLog(
      "ERR_LOG_FOREIGN",
      `${path} is a database of something else. Point eventLog.path at a file of its own.`,
    );
  }
  db.exec(`BEGIN IMMEDIATE; ${LOG_SCHEMA} COMMIT;`);
}

function check(db: DatabaseSync): void {
  const { quick_check: verdict } = db.prepare("PRAGMA quick_check(1)").get() as { quick_check: string };
  if (verdict !== "ok") throw Object.assign(new Error(verdict), { errcode: SQLITE_CORRUPT });
}
