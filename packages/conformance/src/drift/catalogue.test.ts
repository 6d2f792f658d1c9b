import { expect, test } from "vitest";
import type { ManagedObject } from "../suite/managed-objects.ts";
import { unaccounted } from "./catalogue.ts";

const bare = new Map([
  ["n1: routes and rules v4", ["0: from all lookup local"]],
  ["n1: sysctls", ["net.ipv4.ip_forward = 1"]],
]);
const full = new Map([
  ["n1: routes and rules v4", ["0: from all lookup local", "60: from all lookup 15100 proto 77"]],
  ["n1: sysctls", ["net.ipv4.ip_forward = 1"]],
  ["n1: journal", ["sysctls.json"]],
]);
const rule = { kind: "the rule", lines: /: routes and rules v4: 60:/ } as ManagedObject;

test("what only a node with everything has is a kind's, or nobody would strike it", () => {
  expect(unaccounted(bare, full, [rule])).toEqual([]);
  expect(unaccounted(bare, full, [])).toEqual(["n1: routes and rules v4: 60: from all lookup 15100 proto 77"]);
});
