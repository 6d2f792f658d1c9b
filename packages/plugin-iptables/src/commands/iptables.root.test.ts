import { ScratchNetns } from "linux-ts/testing";
import { expect, test } from "vitest";
import { iptablesRestore, iptablesSave, legacyTables } from "./iptables.ts";
import { flavours } from "./iptables-names.ts";

const cases = flavours.flatMap((flavour) => ([4, 6] as const).map((family) => ({ flavour, family })));

const TEXT = `*mangle
:MILLRACE-PRE - [0:0]
-I PREROUTING 1 -j MILLRACE-PRE
-A MILLRACE-PRE -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0x7f
COMMIT
`;

test.each(cases)("$flavour, IPv$family: what was written is read back, in its table only", async (place) => {
  using there = new ScratchNetns();
  const at = { ...place, netns: there.fd };
  await iptablesRestore({ ...at, text: TEXT });
  const { tables, unreadable } = await iptablesSave(at);
  expect(unreadable).toEqual([]);
  expect(tables.get("mangle")?.get("PREROUTING")?.rules).toEqual([{ text: "-A PREROUTING -j MILLRACE-PRE" }]);
  expect(tables.get("mangle")?.get("MILLRACE-PRE")).toMatchObject({
    policy: undefined,
    rules: [{ text: "-A MILLRACE-PRE -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0x7f" }],
  });
  const one = await iptablesSave({ ...at, table: "mangle", counters: true });
  expect([...one.tables.keys()]).toEqual(["mangle"]);
  expect(one.tables.get("mangle")?.get("MILLRACE-PRE")?.rules[0]?.counters).toEqual({ packets: 0, bytes: 0 });
});

test.each(cases)(
  "$flavour, IPv$family: a table that is refused changes nothing, and the line is told",
  async (place) => {
    using there = new ScratchNetns();
    const at = { ...place, netns: there.fd };
    await iptablesRestore({ ...at, text: TEXT });
    const before = await iptablesSave(at);
    const refused = "-A MILLRACE-PRE -m set --match-set mr-no-such-set src -j ACCEPT";
    const text = `*mangle\n:MILLRACE-PRE - [0:0]\n-A MILLRACE-PRE -j ACCEPT\n${refused}\nCOMMIT\n`;
    await expect(iptablesRestore({ ...at, text })).rejects.toMatchObject({
      code: "ERR_COMMAND_FAILED",
      line: refused,
      message: expect.stringContaining(refused),
    });
    expect(await iptablesSave(at)).toEqual(before);
  },
);

test.each(cases)("$flavour, IPv$family: chains of others stay when ours are written again", async (place) => {
  using there = new ScratchNetns();
  const at = { ...place, netns: there.fd };
  await iptablesRestore({ ...at, text: "*mangle\n:THEIRS - [0:0]\n-A THEIRS -j ACCEPT\nCOMMIT\n" });
  await iptablesRestore({ ...at, text: "*mangle\n:OURS - [0:0]\n-A OURS -j ACCEPT\nCOMMIT\n" });
  await iptablesRestore({ ...at, text: "*mangle\n:OURS - [0:0]\n-A OURS -j RETURN\nCOMMIT\n" });
  const mangle = (await iptablesSave(at)).tables.get("mangle");
  expect(mangle?.get("THEIRS")?.rules).toEqual([{ text: "-A THEIRS -j ACCEPT" }]);
  expect(mangle?.get("OURS")?.rules).toEqual([{ text: "-A OURS -j RETURN" }]);
});

test("reading makes no table in either flavour", async () => {
  using there = new ScratchNetns();
  for (const place of cases) {
    await iptablesSave({ ...place, netns: there.fd });
    await iptablesSave({ ...place, netns: there.fd, table: "mangle" });
  }
  expect(there.sh("nft list ruleset")).toBe("");
  expect(await legacyTables(4, { netns: there.fd })).toEqual([]);
  expect(await legacyTables(6, { netns: there.fd })).toEqual([]);
});

test("legacy tables that exist are told by name", async () => {
  using there = new ScratchNetns();
  await iptablesRestore({ flavour: "legacy", family: 6, netns: there.fd, text: TEXT });
  expect(await legacyTables(6, { netns: there.fd })).toEqual(["mangle"]);
  expect(await legacyTables(4, { netns: there.fd })).toEqual([]);
});

test("a table with rules that only nft(8) can print is told as unreadable", async () => {
  using there = new ScratchNetns();
  await iptablesRestore({ flavour: "nft", family: 4, netns: there.fd, text: TEXT });
  there.sh("nft add rule ip mangle PREROUTING meta mark set numgen random mod 16");
  const { tables, unreadable } = await iptablesSave({ flavour: "nft", family: 4, netns: there.fd });
  expect(unreadable).toEqual(["mangle"]);
  expect(tables.has("mangle")).toBe(false);
});
