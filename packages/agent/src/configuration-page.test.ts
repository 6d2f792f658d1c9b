import { readFileSync } from "node:fs";
import { settings } from "@millrace/core/internal";
import ebpf from "@millrace/plugin-ebpf";
import { expect, test } from "vitest";

const PAGE = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8");
const [common = "", ofEbpf = ""] = PAGE.split("## The eBPF backend");

/** What the tables of a part of the page name in their first column. */
const named = (part: string): string[] => [...part.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, name]) => name as string);

/** Paths of all values in an object. */
function paths(value: object, prefix = ""): string[] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
    typeof inner === "object" && inner !== null ? paths(inner, `${prefix}${key}.`) : [`${prefix}${key}`],
  );
}

test("docs/configuration.md names every setting, and none that is not there", () => {
  const known = [...settings.map(({ path }) => path), "backends.NAME"];
  expect(named(common).sort()).toEqual(known.sort());
});

test("docs/configuration.md names every setting of the eBPF backend", () => {
  expect(named(ofEbpf).sort()).toEqual(paths(ebpf.config.parse({}) as object).sort());
});
