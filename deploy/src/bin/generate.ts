import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { GENERATED } from "../chart/generated.ts";
import { ROOT } from "../chart/places.ts";

/** Writes what is generated. In order: the manifests are rendered by a chart whose schema is written before. */
for (const [path, content] of GENERATED) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content());
  console.log(`wrote ${relative(ROOT, path)}`);
}
