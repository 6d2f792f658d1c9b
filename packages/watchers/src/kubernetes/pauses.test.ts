import { expect, test } from "vitest";
import { type EndedRound, Pauses } from "./pauses.ts";
import { DEFAULT_TIMING } from "./timing.ts";

/** The pauses after these rounds, without what is left to chance. */
function pauses(rounds: readonly Partial<EndedRound>[], timing = DEFAULT_TIMING): number[] {
  const made = new Pauses(timing, () => 0);
  return rounds.map((round) => made.after({ watchedMs: 0, pause: "away", ...round }));
}

test("pauses grow up to their cap, and begin anew once a watch was open for long", () => {
  const failed = Array(6).fill({});
  expect(pauses([...failed, { watchedMs: 10_000 }, {}])).toEqual([125, 250, 500, 1_000, 2_000, 2_000, 125, 250]);
  expect(pauses(Array(7).fill({ pause: "refused" }))).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
});

test("an API server that is there again, and refuses, does not inherit the pauses of its absence", () => {
  expect(pauses([{}, {}, {}, { pause: "refused" }])).toEqual([125, 250, 500, 500]);
});

test("watches that are to be short and are not cut short do not grow pauses", () => {
  const short = { ...DEFAULT_TIMING, watchMs: 2_000 };
  expect(pauses(Array(3).fill({ watchedMs: 1_600 }), short)).toEqual([125, 125, 125]);
  expect(pauses(Array(3).fill({ watchedMs: 900 }), short)).toEqual([125, 250, 500]);
});

test("who was asked to wait for a while does not come back at its end together with all the others", () => {
  expect(pauses([{ pause: "refused", retryAfterMs: 1_000 }])).toEqual([1_500]);
  expect(new Pauses(DEFAULT_TIMING, () => 0.5).after({ watchedMs: 0, pause: "refused", retryAfterMs: 1_000 })).toBe(
    1_750,
  );
  expect(pauses([{ pause: "refused", retryAfterMs: 86_400_000 }])).toEqual([30_500]);
});
