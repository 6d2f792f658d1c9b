import { expect, test } from "vitest";
import { fileFaults, manifestFaults } from "./check-tarball.ts";

const GOOD = {
  license: "Apache-2.0",
  description: "something",
  exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
  dependencies: { zod: "4.6.7", "@millrace/core": "0.1.0" },
  publishConfig: { access: "public", provenance: true },
};

test("a good manifest has no faults", () => {
  expect(manifestFaults(GOOD)).toEqual([]);
});

test.each([
  [{ ...GOOD, license: "MIT" }, "license is MIT, not Apache-2.0"],
  [{ ...GOOD, description: "" }, "no description"],
  [{ ...GOOD, scripts: { postinstall: "node evil.js" } }, "has scripts: nothing may run when it is installed"],
  [{ ...GOOD, exports: { ".": { source: "./src/index.ts" } } }, "exports sources that are not in it"],
  [{ ...GOOD, dependencies: { "@millrace/core": "workspace:*" } }, "depends on @millrace/core of the workspace"],
  [{ ...GOOD, publishConfig: { access: "public" } }, "publishConfig.provenance is not true"],
  [{ ...GOOD, publishConfig: { provenance: true } }, "publishConfig.access is not public"],
])("a fault of the manifest is named: %j", (manifest, fault) => {
  expect(manifestFaults(manifest)).toEqual([fault]);
});

const FILES = ["package.json", "README.md", "LICENSE", "dist/index.js", "dist/index.d.ts"];

test("what belongs into a package is let in", () => {
  const more = ["CHANGELOG.md", "build/bpf.node", "objects/node.bpf.o", "objects/LICENSE.GPL-2.0", "addon/attach.c"];
  expect(fileFaults([...FILES, ...more])).toEqual([]);
});

test("what is missing is named", () => {
  expect(fileFaults(["package.json"])).toEqual(["no README.md", "no LICENSE"]);
});

test.each([
  "dist/index.test.js",
  "dist/testing/kit.js",
  "dist/api.test.kit.js",
  "dist/index.js.map",
  "src/index.ts",
  "tsconfig.tsbuildinfo",
  ".env",
  "events.db",
])("what has strayed in is named: %s", (path) => {
  expect(fileFaults([...FILES, path])).toEqual([`stray file ${path}`]);
});
