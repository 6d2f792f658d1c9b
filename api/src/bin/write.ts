import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { entries, ROOT } from "../entries.ts";
import { apiReport } from "../report.ts";

for (const entry of entries) {
  writeFileSync(join(ROOT, entry.report), apiReport(entry));
  console.log(`wrote ${entry.report}`);
}
