import { afterAll, beforeAll, expect, it } from "vitest";
import { bytesOf, CORPUS } from "./fuzz/corpus.ts";
import { check } from "./fuzz/fuzz.ts";
import { TARGETS, Target } from "./fuzz/target.ts";

let targets: readonly Target[];
beforeAll(() => {
  targets = TARGETS.map((name) => new Target(name));
});
afterAll(() => {
  for (const target of targets) target[Symbol.dispose]();
});

it.each(CORPUS)("the kept frame becomes what the table says: $name", (kept) => {
  for (const target of targets) expect(check(target, bytesOf(kept)), target.name).toBeUndefined();
});
