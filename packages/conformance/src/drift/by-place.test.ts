import { expect, test } from "vitest";
import { byPlace } from "./by-place.ts";

const save = (...lines: string[]) => byPlace(["*mangle", ...lines, "COMMIT"]);

test("a chain that was made anew is where it was", () => {
  const before = save(":PREROUTING ACCEPT", ":A -", ":B -", "-A A -j ACCEPT", "-A B -j DROP");
  const after = save(":PREROUTING ACCEPT", ":B -", ":A -", "-A B -j DROP", "-A A -j ACCEPT");
  expect(after).toEqual(before);
  const table = (...chains: string[]) =>
    byPlace(["table inet t {", ...chains.flatMap((c) => [`\tchain ${c} {`, "\t\taccept", "\t}"]), "}"]);
  expect(table("b", "a")).toEqual(table("a", "b"));
  expect(table("a")).toEqual(["table inet t: {", "table inet t chain a: {", "table inet t chain a: accept"]);
});

test("the order within a chain counts, and so does the chain that a rule is in", () => {
  const rules = save("-A A -j ACCEPT", "-A A -j DROP");
  expect(save("-A A -j DROP", "-A A -j ACCEPT")).not.toEqual(rules);
  expect(save("-A B -j ACCEPT", "-A A -j DROP")).not.toEqual(rules);
  expect(byPlace(["*nat", "-A A -j ACCEPT"])).not.toEqual(byPlace(["*raw", "-A A -j ACCEPT"]));
});
