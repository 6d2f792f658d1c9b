import { expect, test } from "vitest";
import { MAX_CONFIG_BYTES, readNetwork } from "./read-network.ts";
import { toText } from "./text.ts";

const read = (name: string, text: string) => readNetwork(name, toText(Buffer.from(text)));

test("a list, and a single plugin, as libcni reads them", () => {
  expect(read("a.conflist", '{"name":"n","cniVersion":"1.0.0","plugins":[{"type":"a"},{"type":"b"}],"x":1}')).toEqual({
    kind: "list",
    name: "n",
    versions: ["1.0.0"],
    types: ["a", "b"],
  });
  const single = { kind: "single", name: "n", versions: [], types: ["a"] };
  expect(read("a.conf", '{"name":"n","type":"a"}')).toEqual(single);
  expect(read("a.json", '{"Name":"n","TYPE":"a","ipam":null,"cniVersion":""}')).toEqual(single);
});

test("of several spellings of a key the last in the order of the bytes counts", () => {
  expect(read("a.conf", '{"type":"a","TYPE":"b","tyPe":"c"}')).toMatchObject({ types: ["a"] });
});

test("every version that a runtime may choose", () => {
  const text = '{"name":"n","cniVersion":"1.0.0","cniVersions":["0.4.0","1.1.0"],"plugins":[{"type":"a"}]}';
  expect(read("a.conflist", text)).toMatchObject({ versions: ["0.4.0", "1.1.0", "1.0.0"] });
});

test("plugins in a directory of their own (CNI 1.1)", () => {
  expect(read("a.conflist", '{"name":"n","cniVersion":"1.1.0"}')).toMatchObject({ types: [] });
});

test.each([
  ["a.conflist", "", /no JSON/],
  ["a.conflist", '{"name":"n","plugins":[{"type":"a"}]', /no JSON/],
  ["a.conflist", '{"name":"n","plugins":[{"type":"a"}],}', /no JSON/],
  ["a.conflist", '// {}\n{"name":"n","plugins":[{"type":"a"}]}', /no JSON/],
  ["a.conflist", '\ufeff{"name":"n","plugins":[{"type":"a"}]}', /no JSON/],
  ["a.conflist", '{"name":"n","plugins":[{"type":"a","mtu":1e999}]}', /no JSON: the number at "mtu" is too large/],
  ["a.conflist", `{"name":"n","plugins":[{"type":"a","x":${"[".repeat(20_000)}${"]".repeat(20_000)}}]}`, /no JSON/],
  ["a.conflist", "[]", /object/],
  ["a.conflist", '{"plugins":[{"type":"a"}]}', /^name: /],
  ["a.conflist", '{"name":1,"plugins":[{"type":"a"}]}', /^name: /],
  ["a.conflist", '{"name":"n","cniVersion":1,"plugins":[{"type":"a"}]}', /^cniVersion: /],
  ["a.conflist", '{"name":"n","disableCheck":"yes","plugins":[{"type":"a"}]}', /^disableCheck: /],
  ["a.conflist", '{"name":"n","plugins":[]}', /^plugins: /],
  ["a.conflist", '{"name":"n","plugins":{"type":"a"}}', /^plugins: /],
  ["a.conflist", '{"name":"n","plugins":[{"type":"a"},{"name":"b"}]}', /^plugins.1.type: /],
  ["a.conflist", '{"name":"n","plugins":[{"type":"a","capabilities":{"x":1}}]}', /^plugins.0.capabilities.x: /],
  ["a.conflist", '{"name":"n","plugins":[{"type":"a","dns":[]}]}', /^plugins.0.dns: /],
  ["a.conflist", '{"name":"n","plugins":[{"type":"a","prevResult":"x"}]}', /^plugins.0.prevResult: /],
  ["a.conflist", '{"name":"n","plugins":[{"type":"a","Name":1,"name":"x"}]}', /^plugins.0.Name: /],
  ["a.conflist", '{"name":"n","cniVersions":["x"],"plugins":[{"type":"a"}]}', /^cniVersions.0: /],
  ["a.conflist", '{"name":"n","cniVersion":"1.1.0","loadOnlyInlinedPlugins":"True"}', /^plugins: /],
  ["a.conf", '{"name":"n","plugins":[{"type":"a"}]}', /^type: /],
  ["a.conf", '{"name":"n","type":""}', /^type: /],
  ["a.conf", " ".repeat(MAX_CONFIG_BYTES + 1), /larger than/],
])("not valid: %s %.60s", (name, text, why) => {
  expect(read(name, text)).toEqual({ invalid: expect.stringMatching(why) });
});
