import { expect, test } from "vitest";
import { RewriteBudget } from "./rewrite-budget.ts";

const limits = { most: 3, withinMs: 100, pauseMs: 50, longestPauseMs: 150 };

/** Milliseconds to wait, for each time asked. */
const ask = (budget: RewriteBudget, ...times: number[]) => times.map((time) => budget.spend(time));

test("what happens now and then is free", () => {
  const budget = new RewriteBudget(limits);
  expect(ask(budget, 0, 40, 80, 120, 160, 200)).toEqual([0, 0, 0, 0, 0, 0]);
});

test("a quarrel ends: pauses that double up to the longest, with one try after each", () => {
  const budget = new RewriteBudget(limits);
  expect(ask(budget, 0, 1, 2, 3)).toEqual([0, 0, 0, 50]);
  expect(ask(budget, 13, 53, 54)).toEqual([40, 0, 100]);
  expect(ask(budget, 154, 155)).toEqual([0, 150]);
  expect(ask(budget, 305, 306)).toEqual([0, 150]);
});

test("peace for long enough, and all is as in the beginning", () => {
  const budget = new RewriteBudget(limits);
  expect(ask(budget, 0, 1, 2, 3, 53)).toEqual([0, 0, 0, 50, 0]);
  expect(ask(budget, 200, 201, 202, 203)).toEqual([0, 0, 0, 50]);
});
