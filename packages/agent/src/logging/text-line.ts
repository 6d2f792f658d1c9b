/** The keys that pino itself writes; everything else of a record is a field. */
const OWN = new Set(["level", "time", "component", "msg", "err"]);
const LEVELS: Readonly<Record<number, string>> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
};
const LEVEL_WIDTH = 5;
/** Values that need no quotes: anything without blanks, quotes, `=` and control characters. */
const BARE = /^[^\s"=\p{Cc}]+$/u;

function value(raw: unknown): string {
  if (typeof raw === "string") return BARE.test(raw) ? raw : JSON.stringify(raw);
  return JSON.stringify(raw) ?? "undefined";
}

function errorFields(err: unknown): [string, unknown][] {
  if (typeof err !== "object" || err === null) return err === undefined ? [] : [["error", err]];
  const { message, code, stack } = err as { message?: unknown; code?: unknown; stack?: unknown };
  return (
    [
      ["code", code],
      ["error", message],
      ["stack", stack],
    ] as [string, unknown][]
  ).filter(([, field]) => field !== undefined);
}

/**
 * One record of pino as one line for people: `time level component message key=value …`. Always exactly one line:
 * a line break within a value is written as `\n`, so that nothing in a log can pass for another line of it.
 */
export function textLine(record: Readonly<Record<string, unknown>>): string {
  const { level, time, component, msg, err } = record;
  const head = [
    new Date(typeof time === "number" ? time : Number.NaN).toISOString(),
    (LEVELS[level as number] ?? String(level)).padEnd(LEVEL_WIDTH),
    String(component ?? "millrace"),
    String(msg ?? "").replaceAll(/[\p{Cc}]+/gu, " "),
  ];
  const fields = Object.entries(record).filter(([key]) => !OWN.has(key));
  return `${[...head, ...[...fields, ...errorFields(err)].map(([key, raw]) => `${key}=${value(raw)}`)].join(" ")}\n`;
}
