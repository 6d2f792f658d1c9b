import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openPortableLog } from "../log/portable-log.ts";
import { verify } from "./verify.ts";

const INCIDENTS = join(import.meta.dirname, "..", "..", "..", "..", "test", "incidents");
const logs = readdirSync(INCIDENTS).filter((name) => name.endsWith(".jsonl"));

/**
 * What was decided then is decided today. Where that changed on purpose: `millrace replay --diff` shows it, `make accept-incidents` records it.
 */
describe("golden incidents", () => {
  test.each(logs)("%s", (name) => {
    const { header, rows } = openPortableLog(join(INCIDENTS, name));
    const result = verify(rows(), header?.last);
    expect(result.differences).toEqual([]);
    expect(result.intents).toBeGreaterThan(0);
  });

  test("README.md says what happened in each", () => {
    const page = readFileSync(join(INCIDENTS, "README.md"), "utf8");
    expect([...page.matchAll(/^\| `([^`]+\.jsonl)` \|/gm)].map(([, name]) => name).sort()).toEqual(logs.sort());
  });
});
