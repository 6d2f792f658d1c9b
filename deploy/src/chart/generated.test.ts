import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { expect, test } from "vitest";
import { GENERATED } from "./generated.ts";
import { PROFILES, ROOT } from "./places.ts";
import { renderText } from "./render.ts";

test.each([...GENERATED].map(([path, content]) => [relative(ROOT, path), content] as const))(
  "%s is what `make manifests` writes",
  (path, content) => {
    expect(readFileSync(`${ROOT}/${path}`, "utf8")).toBe(content());
  },
);

test.each(PROFILES)("profile %s renders as before", (profile) => {
  expect(difference(renderText(), renderText({ profile }))).toMatchSnapshot();
});

test("objects that are off by default", () => {
  const values = {
    "startupTaint.enabled": true,
    "openshift.securityContextConstraints": true,
    "nodeProxy.enabled": true,
  };
  expect(difference(renderText(), renderText({ tests: true, values }))).toMatchSnapshot();
});

/** Lines of one text that the other does not have, in their order: short enough to be read in review, unlike eight whole renderings. */
function difference(before: string, after: string): string {
  const only = (text: string, other: string, sign: string) => {
    const lines = new Set(other.split("\n"));
    return text
      .split("\n")
      .filter((line) => !lines.has(line) && !line.includes("checksum/config"))
      .map((line) => `${sign} ${line}`);
  };
  return [...only(before, after, "-"), ...only(after, before, "+")].join("\n");
}
