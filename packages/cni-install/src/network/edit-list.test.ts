import fc from "fast-check";
import { expect, test } from "vitest";
import { PLUGIN_TYPE } from "../entry.ts";
import { ENTRY } from "../testing/entry.test.kit.ts";
import { chain, oddList, oddPlugin, oddSingle } from "../testing/odd-json.test.kit.ts";
import { hasEntry, listOfOne, withEntry, withoutEntry } from "./edit-list.ts";
import { readNetwork } from "./read-network.ts";

const small = { type: PLUGIN_TYPE, socket: "/s" } as const;

test("appended like its neighbours: on one line", () => {
  const list = '{"name":"n","plugins":[{"type":"a"}, {"type":"b"}]}';
  expect(withEntry(list, small)).toBe(
    '{"name":"n","plugins":[{"type":"a"}, {"type":"b"}, {"type":"millrace","socket":"/s"}]}',
  );
});

test("appended like its neighbours: over several, with their indentation and line ends", () => {
  const list = '{\r\n\t"plugins": [\r\n\t{\r\n\t\t\t"type": "a"\r\n\t}\r\n\t]\r\n}';
  expect(withEntry(list, small)).toBe(
    '{\r\n\t"plugins": [\r\n\t{\r\n\t\t\t"type": "a"\r\n\t},\r\n\t{\r\n\t\t\t"type": "millrace",\r\n\t\t\t"socket": "/s"\r\n\t}\r\n\t]\r\n}',
  );
});

test("text of ours beyond ASCII is UTF-8 in the file", () => {
  const text = withEntry('{"plugins":[{"type":"a"}]}', { type: PLUGIN_TYPE, socket: "/é" });
  expect(Buffer.from(text, "latin1").toString("utf8")).toContain('"socket":"/é"');
  expect(withEntry(text, { type: PLUGIN_TYPE, socket: "/é" })).toBe(text);
});

test("an entry that is there in another formatting, or with somebody behind it, is left as it is", () => {
  const list = '{"plugins":[{"type":"a"},{ "socket" : "/s", "type" : "millrace" },{"type":"istio-cni"}]}';
  expect(withEntry(list, small)).toBe(list);
});

test.each([
  ["is first", '{"plugins":[{"type":"millrace","socket":"/s"},{"type":"a"}]}'],
  [
    "has a plugin behind it that must run before",
    '{"plugins":[{"type":"a"},{"type":"millrace","socket":"/s"},{"type":"bandwidth"}]}',
  ],
  ["says something else", '{"plugins":[{"type":"a"},{"type":"millrace","socket":"/old"}]}'],
  ["is there twice", '{"plugins":[{"type":"millrace","socket":"/s"},{"type":"a"},{"type":"millrace","socket":"/s"}]}'],
])("an old entry goes when it %s", (_why, list) => {
  const types = (text: string) => (JSON.parse(text) as { plugins: { type: string }[] }).plugins.map(({ type }) => type);
  const text = withEntry(list, small);
  expect(types(text)).toEqual([...types(list).filter((type) => type !== PLUGIN_TYPE), PLUGIN_TYPE]);
  expect(JSON.parse(text)).toMatchObject({ plugins: expect.arrayContaining([small]) });
});

test("of two keys with one name the last counts, as for the runtime", () => {
  const list = '{"plugins":[{"type":"x"}],"plugins":[{"type":"a"}]}';
  expect(withEntry(list, small)).toBe(
    '{"plugins":[{"type":"x"}],"plugins":[{"type":"a"},{"type":"millrace","socket":"/s"}]}',
  );
});

test("property: put in and taken out again, a list in any formatting is the same bytes, and between that a list with one more plugin", () => {
  const lists = chain.chain((types) => fc.tuple(fc.constant(types), oddList(types.map(oddPlugin))));
  fc.assert(
    fc.property(lists, ([types, list]) => {
      const edited = withEntry(list, ENTRY);
      expect(readNetwork("a.conflist", edited)).toMatchObject({ types: [...types, PLUGIN_TYPE] });
      expect(withEntry(edited, ENTRY)).toBe(edited);
      expect(hasEntry(list)).toBe(false);
      expect(withoutEntry(edited)).toBe(list);
      const { plugins, ...rest } = JSON.parse(edited) as { plugins: unknown[] };
      expect({ ...rest, plugins: plugins.slice(0, -1) }).toEqual(JSON.parse(list));
    }),
    { numRuns: 1000 },
  );
});

test("property: old entries go, wherever they are, and leave a list", () => {
  const types = fc.array(fc.constantFrom("bridge", "portmap", PLUGIN_TYPE), { minLength: 1, maxLength: 5 });
  const lists = types.chain((chosen) => fc.tuple(fc.constant(chosen), oddList(chosen.map(oddPlugin))));
  fc.assert(
    fc.property(lists, ([chosen, list]) => {
      const others = chosen.filter((type) => type !== PLUGIN_TYPE);
      const text = withoutEntry(list);
      expect((JSON.parse(text) as { plugins: { type: string }[] }).plugins.map(({ type }) => type)).toEqual(others);
      if (others.length > 0) {
        expect(readNetwork("a.conflist", withEntry(list, ENTRY))).toMatchObject({ types: [...others, PLUGIN_TYPE] });
      }
    }),
    { numRuns: 1000 },
  );
});

test("property: a single plugin's list holds it whole", () => {
  fc.assert(
    fc.property(oddSingle, (single) => {
      const list = listOfOne(single);
      const { plugins, ...rest } = JSON.parse(list) as { plugins: unknown[] };
      expect(rest).toEqual({ cniVersion: "1.0.0", name: "nA" });
      expect(plugins).toEqual([JSON.parse(single)]);
      expect(readNetwork("a.conflist", withEntry(list, ENTRY))).toMatchObject({ types: ["bridge", PLUGIN_TYPE] });
      expect(withoutEntry(withEntry(list, ENTRY))).toBe(list);
    }),
    { numRuns: 500 },
  );
});
