import { cpSync, globSync } from "node:fs";
import { join } from "node:path";
import { listPages, placeOf, ROOT } from "./pages.ts";

/** VitePress compiles pages to modules that import Vue, which they find only from inside this package: each is copied to its place. */
for (const path of listPages()) cpSync(join(ROOT, path), join(ROOT, "site/generated/pages", placeOf(path)));

/** And the pictures that they show, where they look for them. */
for (const path of globSync("docs/**/*.svg", { cwd: ROOT }))
  cpSync(join(ROOT, path), join(ROOT, "site/generated/pages", path));
