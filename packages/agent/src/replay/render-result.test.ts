import { expect, test } from "vitest";
import { paletteFor } from "../cli/colour.ts";
import { renderResult } from "./render-result.ts";

const plain = paletteFor({}, {});
const same = { events: 12, inputs: 8, intents: 3, snapshots: 1, differences: [], skipped: [], last: 12 };

test("the same decisions", () => {
  expect(renderResult(same, plain)).toBe(
    "12 events replayed: 3 intents and 1 snapshot the same, byte for byte\nsame decisions\n",
  );
  expect(renderResult(same, plain, "n1.jsonl")).toMatch(/^n1\.jsonl: 12 .*\nn1\.jsonl: same decisions\n$/);
});

test("what differs, and what could not be compared", () => {
  const differs = {
    ...same,
    differences: [{ kind: "missing" as const, seq: 7, recorded: [], decided: [] }],
    skipped: [
      { from: 1, to: 5 },
      { from: 9, to: 9 },
    ],
  };
  expect(renderResult(differs, plain).split("\n").slice(1)).toEqual([
    "events 1 to 5 are not compared: rows before it are missing or could not be read, and no snapshot followed yet",
    "event 9 is not compared: rows before it are missing or could not be read, and no snapshot followed yet",
    "1 difference",
    "",
  ]);
});
