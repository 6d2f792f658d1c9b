import { expect, test } from "vitest";
import { linkIds, mapIds, programIds } from "./ids.ts";
import { BpfObject } from "./object.ts";
import { testObject } from "./testing/kernel.ts";

test("what is loaded is listed for as long as somebody holds it, in ascending order", () => {
  const object = BpfObject.open(testObject("maps"));
  for (const ids of [mapIds, programIds, linkIds]) expect(ids()).toEqual(ids().sort((a, b) => a - b));
  object.load();
  const [program, map] = [object.program("count").info.id, object.map("a_hash").info.id];
  expect(programIds()).toContain(program);
  expect(mapIds()).toContain(map);
  expect(linkIds()).not.toContain(0);
  object[Symbol.dispose]();
  expect(programIds()).not.toContain(program);
});
