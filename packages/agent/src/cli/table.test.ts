import { expect, test } from "vitest";
import { table } from "./table.ts";

const columns = [{ title: "NAME" }, { title: "COUNT", align: "right" }, { title: "NOTE" }] as const;

test("columns line up, two spaces apart, with no blanks at the end of a line", () => {
  expect(
    table(columns, [
      ["a", "1", ""],
      ["longer-name", "1000", "yes"],
    ]),
  ).toBe(["NAME         COUNT  NOTE", "a                1", "longer-name   1000  yes", ""].join("\n"));
});

test("colour takes no room", () => {
  const red = "\u001b[31mbad\u001b[39m";
  const lines = table(
    [{ title: "A" }, { title: "B" }],
    [
      [red, "x"],
      ["good", "y"],
    ],
  ).split("\n");
  expect(lines[1]).toBe(`${red}   x`);
  expect(lines[2]).toBe("good  y");
});

test("a line break within a cell does not break the row, and a missing cell is empty", () => {
  expect(table(columns, [["a\n  b", "1"]])).toBe("NAME  COUNT  NOTE\na b       1\n");
});

test("no rows, no headings", () => {
  expect(table(columns, [])).toBe("");
});
