/** Writes the layout of this version down: `make record-layout`. Refuses to give a version another layout than it had. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { LAYOUT_VERSION } from "../layout.ts";
import { compiledLayout, incompatibilities, RECORD, recordedLayout } from "./layout-record.ts";

const compiled = compiledLayout();
const problems = incompatibilities(recordedLayout() ?? {}, compiled);
if (problems.length > 0) {
  console.error(`layout version ${LAYOUT_VERSION} was another one:\n  ${problems.join("\n  ")}`);
  console.error(
    "Raise LAYOUT_VERSION in bpf/include/layout.h and packages/plugin-ebpf/src/layout.ts, then run this again.",
  );
  process.exitCode = 1;
} else {
  mkdirSync(dirname(RECORD), { recursive: true });
  writeFileSync(RECORD, `${JSON.stringify(compiled, null, 2)}\n`);
}
