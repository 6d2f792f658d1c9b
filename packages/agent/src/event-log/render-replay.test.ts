import { initialState } from "@millrace/core";
import { expect, test } from "vitest";
import { paletteFor } from "../cli/colour.ts";
import { renderReplay } from "./render-replay.ts";

const plain = paletteFor({}, {});
const same = { state: initialState, inputs: 12, intents: 3, divergences: [], skipped: [] };

test("the same decisions", () => {
  expect(renderReplay(same, plain)).toBe("12 inputs replayed, 3 intents decided again as recorded\nsame decisions\n");
});

test("what differs and what could not be replayed", () => {
  const differs = {
    ...same,
    divergences: [{ cause: 7, recorded: ['{"a":1}'], decided: ['{"a":2}'] }],
    skipped: [
      { from: 1, to: 5 },
      { from: 9, to: undefined },
    ],
  };
  expect(renderReplay(differs, plain).split("\n").slice(1)).toEqual([
    "events from 1 to 5 cannot be replayed: some are missing",
    "events from 9 on cannot be replayed: some are missing",
    "event 7 was answered otherwise:",
    '  recorded {"a":1}',
    '  decided  {"a":2}',
    "1 decisions differ",
    "",
  ]);
});
