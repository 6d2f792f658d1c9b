import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "../bundle.ts";
import { renderPage } from "./page.ts";
import { readResults } from "./results.ts";

it("docs/compatibility.md is what its data says", () => {
  const page = readFileSync(join(ROOT, "docs/compatibility.md"), "utf8");
  expect(page).toBe(renderPage(readResults(join(ROOT, "docs/compatibility.json"))));
});
