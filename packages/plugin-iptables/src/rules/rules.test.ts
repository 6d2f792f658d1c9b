import type { Family } from "linux-ts";
import { describe, expect, test } from "vitest";
import { configSchema } from "../config.ts";
import { FAMILIES, layoutOf } from "../layout.ts";
import type { HostInput, RuleSlot } from "./host-input.ts";
import { hostRules } from "./host-rules.ts";
import { proxyRules } from "./proxy-rules.ts";
import { type Ruleset, renderChains } from "./ruleset.ts";

const layout = layoutOf(configSchema.parse({}));
const address = (family: Family, host: number): string => (family === 4 ? `198.18.1.${host}` : `2001:2:0:1::${host}`);
const network = (family: Family): string => (family === 4 ? "198.19.0.0/16" : "2001:2:0:ff::/64");

const slot = (family: Family, index: number, more: Partial<RuleSlot> = {}): RuleSlot => ({
  index,
  device: `h-z${index}`,
  isBridged: false,
  addresses: [address(family, 20 + index)],
  ...more,
});

const input = (family: Family, more: Partial<HostInput> = {}): HostInput => ({
  family,
  layout,
  port: 6081,
  slots: [slot(family, 0)],
  active: 0,
  failurePolicy: "closed",
  localDelivery: "direct",
  exclusions: [],
  ...more,
});

const golden = (name: string) => `./golden/${name}.rules`;

describe.each(FAMILIES)("IPv%i, the node", (family) => {
  test("one proxy", async () => {
    await expect(renderChains(hostRules(input(family)))).toMatchFileSnapshot(golden(`node-ipv${family}`));
  });

  test("a second one on a bridge that drains, routed delivery, excluded networks", async () => {
    const bridged = slot(family, 3, { device: "cni0", isBridged: true });
    const rules = hostRules(
      input(family, {
        slots: [slot(family, 0), bridged],
        localDelivery: "routed",
        exclusions: [
          { direction: "outbound", family, cidr: network(family) },
          { direction: "inbound", family, cidr: network(family) },
        ],
      }),
    );
    await expect(renderChains(rules)).toMatchFileSnapshot(golden(`node-draining-ipv${family}`));
  });

  test("no proxy: refused, or let by where the policy says so", async () => {
    const none = { slots: [], active: undefined };
    await expect(renderChains(hostRules(input(family, none)))).toMatchFileSnapshot(golden(`node-closed-ipv${family}`));
    const open = hostRules(input(family, { ...none, failurePolicy: "open" }));
    await expect(renderChains(open)).toMatchFileSnapshot(golden(`node-open-ipv${family}`));
  });

  test("nobody leads to a chain that is not there, and none is there for nobody", () => {
    for (const active of [0, undefined]) wellConnected(hostRules(input(family, { active })));
  });

  test("no other bits of a mark are touched", () => {
    const text = renderChains(hostRules(input(family)));
    for (const [, mask] of text.matchAll(/--(?:set-x)?mark 0x[0-9a-f]+\/(0x[0-9a-f]+)/g)) {
      expect(Number(mask) & ~0x7f).toBe(0);
    }
  });
});

describe.each(FAMILIES)("IPv%i, a proxy's namespace", (family) => {
  test("with the tunnel over IPv4", async () => {
    const rules = proxyRules({
      family,
      layout,
      ifName: "eth0",
      addresses: [address(family, 20)],
      tunnel: { family: 4, port: 6081, node: "198.18.1.1" },
    });
    wellConnected(rules);
    await expect(renderChains(rules)).toMatchFileSnapshot(golden(`proxy-ipv${family}`));
  });
});

function wellConnected({ chains }: Ruleset): void {
  for (const { table, name, hook } of chains) {
    const same = chains.filter((chain) => chain.table === table);
    const rules = same.flatMap((chain) => chain.rules);
    const isUsed = hook !== undefined || rules.some((rule) => rule.endsWith(` ${name}`));
    expect(`${table} ${name} is ${isUsed ? "used" : "unused"}`).toBe(`${table} ${name} is used`);
    for (const rule of rules) {
      const [, target] = /-[jg] (MILLRACE-\S+)$/.exec(rule) ?? [];
      if (target !== undefined) expect(same.map((chain) => chain.name)).toContain(target);
    }
  }
}
