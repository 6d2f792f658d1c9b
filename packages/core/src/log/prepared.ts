import type { DatabaseSync, StatementSync } from "node:sqlite";

const kept = new WeakMap<DatabaseSync, Map<string, StatementSync>>();

/** A statement that comes round with every commit: parsing it costs more than running it, so each connection does that once. */
export function prepared(db: DatabaseSync, sql: string): StatementSync {
  const own = kept.get(db) ?? new Map<string, StatementSync>();
  kept.set(db, own);
  const statement = own.get(sql) ?? db.prepare(sql);
  own.set(sql, statement);
  return statement;
}
