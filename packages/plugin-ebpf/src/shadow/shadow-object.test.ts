import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NODE_OBJECT, SHADOW_OBJECT } from "../objects.ts";

/** Numbers of the helpers that the programs may ask something of, or keep something by (include/uapi/linux/bpf.h, __BPF_FUNC_MAPPER). */
const ASKING: readonly number[] = [
  1, // map_lookup_elem
  2, // map_update_elem
  3, // map_delete_elem
  5, // ktime_get_ns
  26, // skb_load_bytes
  86, // sk_release
  99, // skc_lookup_tcp
];

/** BPF_JMP | BPF_CALL (Documentation/bpf/standardization/instruction-set.rst). */
const CALL = 0x85;

/** The helpers that the programs of section `tc` call. */
function helpersOf(path: string): Set<number> {
  const elf = readFileSync(path);
  // ELF64, little endian: e_shoff, e_shentsize, e_shnum, e_shstrndx; then sh_name, sh_offset, sh_size of each (elf(5)).
  const [table, size] = [Number(elf.readBigUInt64LE(40)), elf.readUInt16LE(58)];
  const sections = Array.from({ length: elf.readUInt16LE(60) }, (_, index) => {
    const at = table + index * size;
    return {
      name: elf.readUInt32LE(at),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      bytes: Number(elf.readBigUInt64LE(at + 32)),
    };
  });
  const names = sections[elf.readUInt16LE(62)]?.offset ?? 0;
  const nameOf = (at: number) => elf.toString("latin1", names + at, elf.indexOf(0, names + at));
  const program = sections.find(({ name }) => nameOf(name) === "tc");
  if (program === undefined) throw new Error(`${path} has no section tc`);
  const helpers = new Set<number>();
  for (let at = program.offset; at < program.offset + program.bytes; at += 8) {
    const isHelper = elf[at] === CALL && ((elf[at + 1] ?? 0) & 0xf0) === 0;
    if (isHelper) helpers.add(elf.readInt32LE(at + 4));
  }
  return helpers;
}

test("a shadow's programs call no helper that does something to a packet, other than those of the node", () => {
  expect([...helpersOf(SHADOW_OBJECT)].filter((helper) => !ASKING.includes(helper))).toEqual([]);
  // What was found by the same search: skb_store_bytes, redirect, redirect_peer.
  expect([...helpersOf(NODE_OBJECT)]).toEqual(expect.arrayContaining([9, 23, 155]));
});
