import { expect, test } from "vitest";
import { paletteFor } from "./colour.ts";

test("colours on a terminal only", () => {
  expect(paletteFor({ isTTY: true }, {}).bad("x")).toBe("\u001b[31mx\u001b[39m");
  expect(paletteFor({ isTTY: false }, {}).bad("x")).toBe("x");
  expect(paletteFor({}, {}).bad("x")).toBe("x");
});

test("NO_COLOR wins over the terminal, unless it is empty", () => {
  expect(paletteFor({ isTTY: true }, { NO_COLOR: "1" }).good("x")).toBe("x");
  expect(paletteFor({ isTTY: true }, { NO_COLOR: "" }).good("x")).not.toBe("x");
  expect(paletteFor({ isTTY: true }, { TERM: "dumb" }).good("x")).toBe("x");
});
