import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PLUGIN_TYPE } from "./entry.ts";
import { TestNode } from "./testing/node.test.kit.ts";

const FIXTURES = join(import.meta.dirname, "..", "fixtures");
const primaries = readdirSync(FIXTURES, { withFileTypes: true }).filter((entry) => entry.isDirectory());

test.each(primaries.map(({ name }) => name))(
  "%s: our entry is in its file as expected, and gone again",
  async (primary) => {
    using node = new TestNode();
    const directory = join(FIXTURES, primary);
    const files = readdirSync(directory).filter((name) => name !== "expected");
    for (const file of files) node.write(file, readFileSync(join(directory, file)), 0o600);
    const before = node.snapshot();
    const { state, config, warnings } = await node.install();
    expect({ state, warnings }).toEqual({ state: "installed", warnings: [] });
    expect(node.types(config?.file ?? "").at(-1)).toBe(PLUGIN_TYPE);
    expect(node.names()).toEqual(readdirSync(join(directory, "expected")).sort());
    for (const name of node.names())
      await expect(node.read(name)).toMatchFileSnapshot(join(directory, "expected", name));
    expect(node.uninstall()).toMatchObject({ left: [] });
    expect(node.snapshot()).toEqual(before);
  },
);
