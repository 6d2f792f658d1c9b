import { rmSync } from "node:fs";
import { expect, test } from "vitest";
import { LIST, SINGLE, TestNode } from "./testing/node.test.kit.ts";
import { viewCni } from "./view.ts";

test("what a runtime would use, and whether we are in it", async () => {
  using node = new TestNode();
  const view = () => viewCni(node.options);
  expect(view()).toEqual({ used: undefined, hasEntry: false, hasPlugin: false, warnings: [] });
  node.write("10-net.conf", SINGLE);
  expect(view()).toMatchObject({ used: "10-net.conf", hasEntry: false });
  await node.install();
  expect(view()).toEqual({ used: "10-net.conflist", hasEntry: true, hasPlugin: true, warnings: [] });
  node.write("05-other.conflist", LIST);
  expect(view()).toMatchObject({ used: "05-other.conflist", hasEntry: false });
  await node.install({ ownConfig: true });
  expect(view()).toMatchObject({ used: "00-millrace.conflist", hasEntry: true });
  node.write("00-first.conflist", LIST);
  expect(view()).toMatchObject({ used: "00-first.conflist", hasEntry: false, warnings: [{ code: "NOT_FIRST" }] });
  rmSync(node.plugin);
  expect(view().hasPlugin).toBe(false);
});
