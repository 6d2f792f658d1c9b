import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { REASONS } from "./reasons.ts";

const PAGE = readFileSync(new URL("../../../../docs/operating.md", import.meta.url), "utf8");

test("docs/operating.md names every reason of an Event, and none that is not told", () => {
  const documented = [...PAGE.matchAll(/^\| `([A-Z]\w+)` \| (?:pod|node) \|/gm)].map(([, reason]) => reason);
  expect(documented.sort()).toEqual(Object.keys(REASONS).sort());
});
