import { ScratchNetns } from "linux-ts/testing";
import { expect, test } from "vitest";
import { ipsetRestore, ipsetSave } from "./commands/ipset.ts";
import { createList, InterfacePlaces, interfaceElement } from "./interface-sets.ts";
import { FAMILIES } from "./layout.ts";
import { addLines, deleteLine, MemberEntries, type MemberEntry } from "./members.ts";

/** As long as a UID of Kubernetes. */
const uidOf = (name: string, index: number): string => `${name}-${index}-`.padEnd(36, "0");

/** With the longest of interfaces' names (IFNAMSIZ). */
const entriesOf = (name: string, count: number): MemberEntry[] =>
  FAMILIES.flatMap((family) =>
    Array.from({ length: count }, (_, index) => {
      const element = interfaceElement(family, `${name}${index}`.padEnd(15, "-"));
      return { role: "iface", family, element, uid: uidOf(name, index), hostIndex: index + 1_000_000 };
    }),
  );

test("a node's interfaces fit, however many there are, also after others have left", async () => {
  using there = new ScratchNetns();
  const at = { netns: there.fd };
  await ipsetRestore(FAMILIES.map(createList).join("\n"), at);
  const read = async () => new MemberEntries(await ipsetSave(at), FAMILIES);
  const add = async (wanted: readonly MemberEntry[]): Promise<void> => {
    const places = new InterfacePlaces((await read()).all);
    await ipsetRestore(wanted.flatMap((entry) => addLines(places.place(entry))).join("\n"), at);
  };
  const uids = async () => (await read()).all.map(({ uid }) => uid).sort();

  const first = entriesOf("a", 150);
  await add(first);
  expect(await uids()).toEqual(first.map(({ uid }) => uid).sort());
  expect((await read()).unlisted).toEqual(
    new Map([
      [4, []],
      [6, []],
    ]),
  );
  const parts = (await read()).names.size;

  await ipsetRestore((await read()).all.map(deleteLine).join("\n"), at);
  const second = entriesOf("b", 150);
  await add(second);
  expect(await uids()).toEqual(second.map(({ uid }) => uid).sort());
  expect((await read()).names.size).toBe(parts);

  // Again, for another workload: it takes the place of the one before.
  const third = second.map((entry) => ({ ...entry, uid: uidOf("c", entry.hostIndex) }));
  await add(third);
  expect(await uids()).toEqual(third.map(({ uid }) => uid).sort());
});
