import { expect, test } from "vitest";
import { createLogger, type LoggerOptions } from "./logger.ts";

function capture(options: Omit<LoggerOptions, "output" | "level">) {
  const lines: string[] = [];
  const log = createLogger({ ...options, level: "info", output: { write: (line) => void lines.push(line) } });
  return { log, lines };
}

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /;

test("text: time, level, component, message, fields", () => {
  const { log, lines } = capture({ format: "text" });
  log.child({ component: "reconciler" }).info({ uid: "u1", attempt: 2, text: "two words" }, "applied");
  expect(lines[0]).toMatch(STAMP);
  expect(lines[0]?.replace(STAMP, "")).toBe('info  reconciler applied uid=u1 attempt=2 text="two words"\n');
});

test("text: a value cannot fake another log line", () => {
  const { log, lines } = capture({ format: "text" });
  log.warn({ name: "a\n2026-01-01 error x", esc: "\u001b[31m" }, "odd\nname");
  expect(lines).toHaveLength(1);
  expect(lines[0]?.match(/\n/g)).toHaveLength(1);
  expect(lines[0]).toContain('odd name name="a\\n2026-01-01 error x" esc="\\u001b[31m"');
});

test("text: an error shows code and message, its stack only when asked for", () => {
  const error = Object.assign(new Error("no such map"), { code: "ENOENT" });
  const quiet = capture({ format: "text" });
  quiet.log.error({ err: error }, "apply failed");
  expect(quiet.lines[0]).toContain('apply failed code=ENOENT error="no such map"');
  expect(quiet.lines[0]).not.toContain("logger.test.ts");
  const loud = capture({ format: "text", stacks: true });
  loud.log.error({ err: error }, "apply failed");
  expect(loud.lines[0]).toContain("logger.test.ts");
});

test("text: an error's cause is told", () => {
  const { log, lines } = capture({ format: "text" });
  log.error({ err: new Error("open failed", { cause: new Error("EPERM") }) }, "failed");
  expect(lines[0]).toContain('error="open failed: EPERM"');
});

test("json: one object per line, with the level's name and an RFC 3339 time", () => {
  const { log, lines } = capture({ format: "json" });
  log.child({ component: "ambient" }).warn({ n: 1 }, "m");
  const record = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
  expect(record).toMatchObject({ level: "warn", component: "ambient", n: 1, msg: "m" });
  expect(`${String(record.time)} `).toMatch(STAMP);
});

test("a level below the wanted one is not written", () => {
  const { log, lines } = capture({ format: "text" });
  log.debug("hidden");
  expect(lines).toEqual([]);
});
