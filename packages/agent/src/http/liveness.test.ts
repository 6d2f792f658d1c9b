import { expect, test } from "vitest";
import { stuck } from "./liveness.ts";

test("an engine that waits for its log is alive; one that takes nothing any more is not", () => {
  expect(stuck(0, 500)).toBeUndefined();
  expect(stuck(30_400, 500)).toBeUndefined();
  expect(stuck(30_600, 500)).toBe("the engine has been stuck for 31 s");
  expect(stuck(80_000, 60_000)).toBeUndefined();
});
