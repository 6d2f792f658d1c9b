import type { Difference, EventRecord } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { paletteFor } from "../cli/colour.ts";
import { renderDifference } from "./render-difference.ts";

const plain = paletteFor({}, {});
const cause = (seq: number) => ({ seq, type: "pod.observed", subject: "pod/u" }) as EventRecord;
const shown = (difference: Partial<Difference> & Pick<Difference, "kind" | "seq">) =>
  renderDifference({ recorded: [], decided: [], ...difference }, plain);

test.each<[Parameters<typeof shown>[0], string]>([
  [{ kind: "missing", seq: 5, cause: cause(6) }, "event 5 is missing, and no log.gap counts as many\n"],
  [{ kind: "missing", seq: 5, cause: cause(8) }, "events 5 to 7 are missing, and no log.gap counts as many\n"],
  [{ kind: "missing", seq: 3, cause: cause(3) }, "event 3 is out of order\n"],
  [{ kind: "missing", seq: 5 }, "event 5 and what followed it are missing: the log was cut off\n"],
])("%o", (difference, text) => {
  expect(shown(difference)).toBe(text);
});

test("both sides, and the first byte that differs", () => {
  expect(
    shown({ kind: "intents", seq: 6, cause: cause(5), recorded: ['{"ä":1}'], decided: ['{"ä":2}', '{"b":3}'] }),
  ).toBe(
    [
      "event 6 differs: it is decided otherwise (because of event 5, pod.observed pod/u)",
      '  recorded {"ä":1}',
      '  decided  {"ä":2}',
      "                ^ byte 6",
      "  recorded nothing",
      '  decided  {"b":3}',
      "",
    ].join("\n"),
  );
});

test("of a long line what is around that byte", () => {
  const line = (at: string) => `${"x".repeat(1000)}${at}${"y".repeat(1000)}`;
  const [, recorded, decided, caret] = shown({
    kind: "snapshot",
    seq: 6,
    cause: cause(6),
    recorded: [line("1")],
    decided: [line("2")],
  }).split("\n") as [string, string, string, string];
  expect(recorded).toMatch(/^ {2}recorded …x{60}1y{59}…$/);
  expect(decided[caret.indexOf("^")]).toBe("2");
  expect(caret).toMatch(/ byte 1000$/);
});
