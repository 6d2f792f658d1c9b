import { expect, test } from "vitest";
import { canonicalAddress, sortedUnique } from "./address.ts";

test.each([
  ["198.18.0.1", "198.18.0.1"],
  ["2001:0002:0000:0000:0000:0000:0000:00AB", "2001:2::ab"],
  ["2001:2:0:0:1:0:0:0", "2001:2:0:0:1::"],
  ["::ffff:198.18.0.1", "198.18.0.1"],
  ["::FFFF:c612:1", "198.18.0.1"],
  ["fe80::1%eth0", "fe80::1"],
])("%s is written %s", (text, canonical) => {
  expect(canonicalAddress(text)).toBe(canonical);
});

test.each(["", "198.18.0", "198.18.0.1/24", "01.2.3.4", "2001::2::3", "node-1"])("%j is no address", (text) => {
  expect(canonicalAddress(text)).toBeUndefined();
});

test("lists are sorted by code unit and have no repetitions", () => {
  expect(sortedUnique(["b", "a", "B", "a", "é"])).toEqual(["B", "a", "b", "é"]);
});
