import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LogDatabase } from "./database.ts";

const limits = { keepEvents: 1_000, maxAgeDays: 30, maxBytes: 1 << 30 };

test("only its owner reads the file and what is beside it, whoever made the directory", () => {
  const directory = mkdtempSync(join(tmpdir(), "millrace-log-"));
  chmodSync(directory, 0o755);
  try {
    using database = LogDatabase.open(join(directory, "events.db"), { busyTimeoutMs: 1_000, check: true, limits });
    database.insert([[1, "2026-01-02T03:00:00.000Z", "node.observed", "node", "{}"]]);
    database.tidy(new Date());
    const modes = readdirSync(directory).map((name) => [name, statSync(join(directory, name)).mode & 0o777]);
    expect(modes).toEqual(
      ["events.db", "events.db-shm", "events.db-wal", "events.db.reserve"].map((name) => [name, 0o600]),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
