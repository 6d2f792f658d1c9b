import { expect, test } from "vitest";
import { parseIptablesSave } from "./commands/parse-iptables-save.ts";
import { configSchema } from "./config.ts";
import { layoutOf } from "./layout.ts";
import { slotsWithoutZone } from "./open-connections.ts";
import type { HostInput, RuleSlot } from "./rules/host-input.ts";
import { hostRules, standbyRules } from "./rules/host-rules.ts";
import { renderChains } from "./rules/ruleset.ts";

const layout = layoutOf(configSchema.parse({}));
const slot = (index: number, isNoting = false): RuleSlot => ({
  index,
  device: `h-z${index}`,
  isBridged: false,
  addresses: [`198.18.1.${20 + index}`],
  isNoting,
});
const input = (...slots: RuleSlot[]): HostInput => ({
  family: 4,
  layout,
  port: 6081,
  slots,
  active: 0,
  failurePolicy: "closed",
  localDelivery: "direct",
  exclusions: [],
});
const saved = (...slots: RuleSlot[]) => parseIptablesSave(renderChains(hostRules(input(...slots))));

test("a proxy whose connections are only noted yet has no zone, and one whose rule is there has", () => {
  expect(slotsWithoutZone(saved(slot(0), slot(1, true)), layout, [0, 1, 2])).toEqual([1, 2]);
  expect(slotsWithoutZone(parseIptablesSave(""), layout, [0])).toEqual([0]);
});

test("what stands by are the zones, and nothing else", () => {
  const rules = renderChains(standbyRules(4, layout, [slot(0)]));
  expect(slotsWithoutZone(parseIptablesSave(rules), layout, [0])).toEqual([]);
  expect(rules).toMatchInlineSnapshot(`
    "*raw
    :MILLRACE-PRE - [0:0]
    -A MILLRACE-PRE -i h-z0 -p tcp -m set ! --match-set millrace-plain4-0 src,src,dst -j CT --zone-orig 19794
    COMMIT
    "
  `);
});

test("the zone rule of versions that had no exceptions from it counts", () => {
  const rules = `*raw\n:MILLRACE-PRE - [0:0]\n-A MILLRACE-PRE -i h-z0 -p tcp -j CT --zone-orig ${layout.zone(0)}\nCOMMIT\n`;
  expect(slotsWithoutZone(parseIptablesSave(rules), layout, [0])).toEqual([]);
});
