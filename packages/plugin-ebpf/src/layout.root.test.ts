import { readFileSync } from "node:fs";
import { BpfObject } from "libbpf-ts";
import { expect, it } from "vitest";
import {
  COUNTER_COUNT,
  excludedNetworkCodec,
  excludedPortCodec,
  memberCodec,
  PROGRAMS,
  proxyCodec,
  settingsCodec,
  VERDICTS,
  workloadCodec,
} from "./layout.ts";
import { NODE_OBJECT, PROXY_OBJECT } from "./objects.ts";
import { run } from "./testing/run.ts";

interface BtfType {
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly members?: readonly { readonly name: string; readonly bits_offset: number }[];
}

const types: BtfType[] = [NODE_OBJECT, PROXY_OBJECT].flatMap(
  (object) => JSON.parse(run("bpftool", "--json", "btf", "dump", "file", object)).types,
);
const find = (kind: string, name: string) => types.find((type) => type.kind === kind && type.name === name);

it.each([
  ["settings", settingsCodec],
  ["proxy", proxyCodec],
  ["workload", workloadCodec],
  ["member", memberCodec],
  ["excluded_port", excludedPortCodec],
  ["excluded_network", excludedNetworkCodec],
])("struct %s has the size and offsets of the compiled object", (name, codec) => {
  const struct = find("STRUCT", name);
  expect(codec.size).toBe(struct?.size);
  const compiled = (struct?.members ?? []).map((member) => [member.name, member.bits_offset / 8]);
  expect(Object.entries(codec.fields).map(([field, { offset }]) => [field, offset])).toEqual(compiled);
});

// Enumerations that only name numbers are not in the object's BTF, so these are compared with the header.
const header = readFileSync(new URL("../../../bpf/include/layout.h", import.meta.url), "utf8");

it.each([
  ["program", "PROGRAM_", PROGRAMS],
  ["verdict", "VERDICT_", VERDICTS],
])("enum %s has our names in our order", (_, prefix, names) => {
  const values = [...header.matchAll(new RegExp(`${prefix}(\\w+)\\s*=\\s*(\\d+)`, "g"))];
  const wanted = [...names.map((name, index) => [name, index]), ["count", names.length]];
  expect(values.map(([, name, value]) => [name?.toLowerCase(), Number(value)])).toEqual(wanted);
});

it("names every counter there is", () => {
  using object = BpfObject.open(NODE_OBJECT);
  expect(object.mapSpecs.find(({ name }) => name === "counters")?.maxEntries).toBe(COUNTER_COUNT);
});
