import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BpfObject, btfCodec, layoutOf } from "libbpf-ts";
import { afterAll, describe, expect, it } from "vitest";
import { SPOKEN } from "./carried-maps.ts";
import * as layout from "./layout.ts";
import {
  COUNTER_COUNT,
  eventCodec,
  eventsWantedCodec,
  excludedNetworkCodec,
  excludedPortCodec,
  memberCodec,
  PROGRAMS,
  proxyCodec,
  settingsCodec,
  VERDICTS,
  workloadCodec,
} from "./layout.ts";
import { NODE_OBJECT } from "./objects.ts";
import {
  compiledLayout,
  incompatibilities,
  type LayoutRecord,
  RECORD,
  type RecordedMap,
  recordedLayout,
} from "./testing/layout-record.ts";

const node = BpfObject.open(NODE_OBJECT);
afterAll(() => node[Symbol.dispose]());
const { btf } = node;

const CODECS = [
  ["settings", settingsCodec],
  ["proxy", proxyCodec],
  ["workload", workloadCodec],
  ["member", memberCodec],
  ["excluded_port", excludedPortCodec],
  ["excluded_network", excludedNetworkCodec],
  ["event", eventCodec],
  ["events_wanted", eventsWantedCodec],
] as const;

describe.each(CODECS)("struct %s", (name, codec) => {
  const id = btf.find("struct", name);

  it("has its members where and as long as the compiler has them", () => {
    const type = btf.type(id);
    const members = type.kind === "struct" ? type.members : [];
    const compiled = members.map((member) => [member.name, member.bitOffset / 8, btf.sizeOf(member.type)]);
    expect(codec.size).toBe(btf.sizeOf(id));
    expect(Object.entries(codec.fields).map(([field, { offset, size }]) => [field, offset, size])).toEqual(compiled);
  });

  it("is read and written as the compiler's types say", () => {
    const byTypes = btfCodec<Record<string, unknown>>(btf, id);
    // No two bytes alike, the first bit of each member set: an order of bytes or a sign that differs shows.
    const bytes = Uint8Array.from({ length: codec.size }, (_, at) => 255 - at);
    const decoded = codec.decode(bytes);
    const compiled = byTypes.decode(bytes);
    for (const [field, value] of Object.entries(decoded)) {
      const expected = compiled[field];
      if (value !== undefined) expect(plain(value), field).toEqual(plain(expected));
    }
    const written = codec.encode(decoded as never);
    const ours = Object.fromEntries(
      Object.entries(compiled).filter(([field]) => decoded[field as keyof typeof decoded] !== undefined),
    );
    expect(Buffer.from(written)).toEqual(Buffer.from(byTypes.encode(ours)));
  });
});

/** Addresses have forms of their own: as bytes they are the same. */
function plain(value: unknown): unknown {
  if (typeof value === "string") return value.split(":").map((pair) => Number.parseInt(pair, 16));
  if (value instanceof Uint8Array) return [...value];
  return typeof value === "object" && value !== null && "bytes" in value ? plain(value.bytes) : value;
}

describe("maps", () => {
  it.each([
    ["settings", "value", "settings"],
    ["proxies", "value", "proxy"],
    ["workloads", "value", "workload"],
    ["members", "key", "address"],
    ["members", "value", "member"],
    ["addresses", "key", "address"],
    ["excluded_ports", "key", "excluded_port"],
    ["excluded_networks", "key", "excluded_network"],
    ["via_host", "key", "flow"],
  ] as const)("the %s have as %s a struct %s", (map, part, struct) => {
    expect(node.layout(map)?.[part]).toEqual(layoutOf(btf, btf.find("struct", struct)));
  });

  it("are as they were when this layout version was written down: else it is a new version", () => {
    const recorded = recordedLayout();
    expect(recorded, "run `make record-layout` for a new layout version").toBeDefined();
    expect(
      incompatibilities(recorded ?? {}, compiledLayout()),
      "raise LAYOUT_VERSION in bpf/include/layout.h and src/layout.ts, which names the pin directory, and run `make record-layout`",
    ).toEqual([]);
  });

  it("have in every version the same of what two programs say to each other about one packet", () => {
    const spoken = (record: LayoutRecord) =>
      Object.entries(record).filter(([name]) => SPOKEN.some((map) => name.endsWith(`/${map}`)));
    const every = readdirSync(dirname(RECORD)).map((name) => join(dirname(RECORD), name));
    expect(spoken(compiledLayout()).length).toBeGreaterThanOrEqual(SPOKEN.length);
    for (const path of every) {
      expect(spoken(JSON.parse(readFileSync(path, "utf8"))), path).toEqual(spoken(compiledLayout()));
    }
  });

  it("are all written down", () => {
    expect(recordedLayout(), "run `make record-layout`").toEqual(compiledLayout());
  });
});

describe("what makes a new version", () => {
  const recorded = compiledLayout();
  const changed = (map: string, change: (old: RecordedMap) => RecordedMap) =>
    incompatibilities(recorded, { ...recorded, [map]: change(recorded[map] as RecordedMap) });
  const withFields = (
    old: RecordedMap,
    edit: (fields: RecordedMap["value"]["fields"]) => RecordedMap["value"]["fields"],
  ) => ({
    ...old,
    value: { ...old.value, fields: edit(old.value.fields) },
  });

  it("a member of another name, kind or place; another size; another type of map; a map that is gone", () => {
    const first = (edit: object) => (old: RecordedMap) =>
      withFields(old, (fields) => fields.map((field, index) => (index === 0 ? { ...field, ...edit } : field)));
    expect(changed("node/proxies", first({ path: "index" }))).toEqual([
      "node/proxies: value.index is u32 at byte 0, declared node/proxies: value.ifindex is u32 at byte 0",
    ]);
    expect(changed("node/proxies", first({ kind: "be32" }))).toHaveLength(1);
    expect(changed("node/proxies", first({ bitOffset: 8 }))).toHaveLength(1);
    expect(changed("node/proxies", (old) => ({ ...old, value: { ...old.value, size: 24 } }))).toEqual([
      "node/proxies: value has 24 bytes, declared 16",
    ]);
    expect(changed("node/proxies", (old) => ({ ...old, type: "hash" }))).toEqual([
      "node/proxies: type is hash, was array",
    ]);
    const { "node/proxies": _gone, ...rest } = recorded;
    expect(incompatibilities(recorded, rest)).toEqual(["node/proxies is gone"]);
  });

  it("no new map, and no use of reserved bytes", () => {
    const proxies = recorded["node/proxies"] as RecordedMap;
    expect(incompatibilities(recorded, { ...recorded, "node/more": proxies })).toEqual([]);
    const use = { path: "weight", bitOffset: 15 * 8, bits: 8, kind: "u8" };
    expect(changed("node/proxies", (old) => withFields(old, (fields) => [...fields, use]))).toEqual([]);
  });
});

// Enumerations that only name numbers are not in the object's BTF, nor are macros, so these are compared with the header.
const header = readFileSync(new URL("../../../bpf/include/layout.h", import.meta.url), "utf8");

it.each([
  ["program", "PROGRAM_", PROGRAMS],
  ["verdict", "VERDICT_", VERDICTS],
])("enum %s has our names in our order", (_, prefix, names) => {
  const values = [...header.matchAll(new RegExp(`${prefix}(\\w+)\\s*=\\s*(\\d+)`, "g"))];
  const wanted = [...names.map((name, index) => [name, index]), ["count", names.length]];
  expect(values.map(([, name, value]) => [name?.toLowerCase(), Number(value)])).toEqual(wanted);
});

it("has the header's constants, the version among them", () => {
  const constants = Object.entries(layout).filter(
    ([name, value]) => /^[A-Z_]+$/.test(name) && typeof value === "number",
  );
  const defined = new Map(
    [...header.matchAll(/^#define (\w+) (0x[0-9a-f]+|\d+)\b/gm)].map(([, name, value]) => [name, Number(value)]),
  );
  const shared = constants.filter(([name]) => defined.has(name));
  expect(shared.map(([name]) => name)).toEqual(
    expect.arrayContaining([
      "LAYOUT_VERSION",
      "MAX_PROXIES",
      "SETTING_ROUTED",
      "WORKLOAD_DNS",
      "ADDRESS_PROXY",
      "PROXY_DNS",
    ]),
  );
  for (const [name, value] of shared) expect(value, name).toBe(defined.get(name));
});

it("names every counter there is", () => {
  expect(node.mapSpecs.find(({ name }) => name === "counters")?.maxEntries).toBe(COUNTER_COUNT);
});
