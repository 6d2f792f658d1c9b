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
    const [file = ""] = readdirSync(directory).filter((name) => name !== "expected");
    node.write(file, readFileSync(join(directory, file)), 0o600);
    const before = node.snapshot();
    expect(await node.install()).toMatchObject({ state: "installed", warnings: [] });
    const [list = ""] = node.names();
    expect(node.names()).toHaveLength(1);
    expect(node.types(list).at(-1)).toBe(PLUGIN_TYPE);
    await expect(node.read(list)).toMatchFileSnapshot(join(directory, "expected", list));
    expect(node.uninstall()).toMatchObject({ left: [] });
    expect(node.snapshot()).toEqual(before);
  },
);
