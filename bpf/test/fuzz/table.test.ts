import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ROW_IDS, rowOf } from "./rows.ts";

it("the table by shape in docs/data-path.md has the oracle's rows", () => {
  const page = readFileSync(new URL("../../../docs/data-path.md", import.meta.url), "utf8");
  const section = page.slice(page.indexOf("## By its shape"), page.indexOf("What the kernel keeps"));
  const rows = section.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| ---"));
  const expected = ROW_IDS.map((id) => {
    const { shape, tcp, fate } = rowOf(id);
    return `| ${shape} | ${tcp} | ${fate === "dropped_unparsable" ? "dropped" : fate} |`;
  });
  expect(rows).toEqual(["| shape | TCP | becomes |", ...expected]);
});
