import { expect, test } from "vitest";
import { age, duration } from "./duration.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test.each([
  [0, "0s"],
  [-5, "0s"],
  [999, "0s"],
  [59 * SECOND, "59s"],
  [MINUTE, "1m"],
  [5 * MINUTE + 30 * SECOND, "5m30s"],
  [3 * HOUR + 10 * SECOND, "3h"],
  [12 * DAY + 4 * HOUR + MINUTE, "12d4h"],
])("%d ms is %s", (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});

test("an age needs a time", () => {
  expect(age(undefined, "2026-01-01T00:01:00.000Z")).toBe("-");
  expect(age("2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z")).toBe("1m");
});
