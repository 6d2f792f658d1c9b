import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { addressOf, listPages, placeOf, REFERENCE, ROOT, resolveLink } from "./pages.ts";
import { sidebar } from "./sidebar.ts";

test("READMEs are the indexes of their directories", () => {
  expect(["README.md", "docs/adr/README.md", "docs/replay.md"].map(placeOf)).toEqual([
    "index.md",
    "docs/adr/index.md",
    "docs/replay.md",
  ]);
  expect(["README.md", "docs/adr/README.md", "docs/replay.md"].map(addressOf)).toEqual([
    "/",
    "/docs/adr/",
    "/docs/replay",
  ]);
});

test.each([
  ["docs/replay.md", "drift.md#how", { page: "docs/drift.md", hash: "#how" }],
  ["docs/replay.md", "../packages/core", { page: "packages/core/README.md", hash: "" }],
  ["docs/adr/README.md", "../../bpf/README.md", { page: "bpf/README.md", hash: "" }],
  ["docs/replay.md", "../packages/core/src/index.ts", { file: "packages/core/src/index.ts" }],
])("in %s, %s leads to %j", (from, href, target) => {
  expect(resolveLink(from, href)).toEqual(target);
});

test.each(["nowhere.md", "../packages/nothing/x.ts", "../../elsewhere"])("a link to %s is refused", (href) => {
  expect(() => resolveLink("docs/replay.md", href)).toThrow(/leads nowhere/);
});

test("every link in a page leads to a page or a file", () => {
  const dead: string[] = [];
  for (const page of listPages().filter((path) => !path.startsWith(REFERENCE))) {
    const text = readFileSync(join(ROOT, page), "utf8").replace(/^```.*?^```/gms, "");
    for (const [, href = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^([a-z]+:|#)/.test(href)) continue;
      try {
        resolveLink(page, href);
      } catch (error) {
        dead.push((error as Error).message);
      }
    }
  }
  expect(dead).toEqual([]);
});

test("every page has its place in the sidebar", () => {
  expect(sidebar().length).toBeGreaterThan(5);
  expect(listPages()).toContain("docs/architecture.md");
});
