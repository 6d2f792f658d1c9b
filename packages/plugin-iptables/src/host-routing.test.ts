import { expect, test } from "vitest";
import { configSchema } from "./config.ts";
import { wantedRoutes, wantedRules } from "./host-routing.ts";
import { layoutOf } from "./layout.ts";
import type { SlotIdentity } from "./notes.ts";

const layout = layoutOf(configSchema.parse({}));

const slot = (device: string, hostName = device): SlotIdentity => ({
  key: "uid@1",
  name: "z",
  netns: "/run/netns/z",
  netnsInode: 1,
  ifName: "eth0",
  mac: "02:00:00:00:00:01",
  hostName,
  hostIndex: 7,
  device,
  addresses: [],
});

test("what is made once and for good, and the end that others jump to comes first", () => {
  expect(wantedRules({ layout }, new Map())).toEqual([
    "75 nop",
    "61 iif millrace-out goto 75",
    "61 iif millrace-in goto 75",
    ...[8, 9, 10, 11, 12, 13, 14, 15].map(
      (mark, index) => `62 fwmark 0x${mark.toString(16)}/0x7f table ${15_102 + index}`,
    ),
    "63 fwmark 0x3/0x7f table 15101",
    "64 iif lo goto 75",
    "65 fwmark 0x2/0x7f table 15100",
  ]);
});

test("a proxy adds the rule for its own veth; none for a bridge, which is everybody's", () => {
  const rules = wantedRules(
    { layout },
    new Map([
      [0, slot("h-z1")],
      [1, slot("cni0", "veth1")],
    ]),
  );
  expect(rules.filter((rule) => rule.startsWith("60 "))).toEqual(["60 iif h-z1 goto 75"]);
});

test("every table that a rule leads to drops what no route takes, whether its slot is used or not", () => {
  const routes = wantedRoutes({ layout, families: [4, 6] }, new Map(), []);
  const guards = routes.filter(({ type }) => type === "blackhole").map(({ dst, table }) => `${dst} table ${table}`);
  const tables = [15_100, ...Array.from({ length: 8 }, (_, slot) => 15_102 + slot)];
  expect(guards.sort()).toEqual(tables.flatMap((table) => [`0.0.0.0/0 table ${table}`, `::/0 table ${table}`]).sort());
});
