import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { behaviours } from "../behaviours/index.ts";
import { DIFFERENCES, renderDifferences, shownBy } from "./differences.ts";

const PAGE = new URL("../../../../docs/backends.md", import.meta.url);

describe("documented differences", () => {
  it("are in docs/backends.md as they are here", () => {
    expect(readFileSync(PAGE, "utf8")).toContain(renderDifferences());
  });

  it("are each asserted by a behaviour", () => {
    const ids = new Set<string>(behaviours.map(({ id }) => id));
    expect(Object.values(DIFFERENCES).filter(({ behaviour }) => !ids.has(behaviour))).toEqual([]);
  });

  it("let a backend that is not named show what ebpf shows", () => {
    expect(shownBy("masqueraded-source", "mine")).toEqual(shownBy("masqueraded-source", "ebpf"));
    expect(shownBy("masqueraded-source", "iptables")).toMatchObject({ as: "client" });
  });
});
