import { compareSnapshots, Lab, type Snapshot, snapshot } from "@millrace/conformance";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Flavour, flavours } from "./commands/iptables-names.ts";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

/**
 * What a node of a cluster has before anybody redirects: rules in every built-in chain, as of kube-proxy, the kubelet and a firewall.
 * The first rule makes its chain and table, and no program of iptables removes those again; empty ones do nothing.
 */
const BUILT_IN = {
  raw: ["PREROUTING", "OUTPUT"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  filter: ["INPUT", "FORWARD", "OUTPUT"],
};
const RULES = Object.entries(BUILT_IN)
  .map(([table, chains]) => {
    const lines = chains.map((chain) => `-A ${chain} -m comment --comment theirs`);
    return `*${table}\n${lines.join("\n")}\nCOMMIT\n`;
  })
  .join("");

const exclusions = {
  outboundPorts: [3306],
  outboundCidrs: ["198.19.200.0/24", "2001:2:0:c8::/64"],
  inboundPorts: [9100],
  inboundCidrs: ["198.19.201.0/24"],
};

const cases = flavours.flatMap((flavour) => ([0, 1] as const).map((rpFilter) => ({ flavour, rpFilter })));

describe.each(cases)("iptables-$flavour, rp_filter $rpFilter", ({ flavour, rpFilter }) => {
  let lab: Lab;
  let before: Snapshot;

  beforeEach(async () => {
    lab = await Lab.create({
      nodes: [{ pods: ["m1", "m2", "plain"], proxies: ["z1", "z2"] }],
      rpFilter,
    });
    await prime(lab, flavour);
    before = await snapshot(lab);
  });
  afterEach(async () => await lab[Symbol.asyncDispose]());

  test("install, enrol, change the proxy, unenrol, uninstall: as before", { timeout: 180_000 }, async () => {
    const node = lab.node(1);
    const [z1, z2] = await Promise.all([proxyOf(lab.pod("z1")), proxyOf(lab.pod("z2"))]);
    const m1 = await workloadOf(lab.pod("m1"), { dnsCapture: true, exclusions });
    const m2 = await workloadOf(lab.pod("m2"));
    {
      await using first = await Driver.open(node, { config: { flavour } });
      await first.useNode({ addresses: Object.values(node.addresses) });
      await first.useProxies({ active: z1, draining: [] });
      await first.apply(m1);
      await first.apply(m2);
      expect(await first.observe()).toMatchObject({ problems: [], workloads: [{ problems: [] }, { problems: [] }] });
      expect(compareSnapshots(before, await snapshot(lab))).not.toEqual([]);
      await first.useProxies({ active: z2, draining: [z1] });
      await first.remove(m2.uid);
    }
    await using second = await Driver.open(node, { config: { flavour } });
    await second.useProxies({ active: z2, draining: [] });
    await second.uninstall();
    expect(compareSnapshots(before, await snapshot(lab))).toEqual([]);
  });
});

test.each(flavours)(
  "iptables-%s on a node without any rule: only empty tables are left",
  { timeout: 180_000 },
  async (flavour) => {
    await using lab = await Lab.create({ nodes: [{ pods: ["m1"], proxies: ["z1"] }] });
    const before = await snapshot(lab);
    await using driver = await Driver.open(lab.node(1), { config: { flavour } });
    await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
    await driver.apply(await workloadOf(lab.pod("m1")));
    await driver.uninstall();
    const left = compareSnapshots(before, await snapshot(lab)).filter((line) => !isEmptyTable(line));
    expect(left).toEqual([]);
  },
);

/** A table, its built-in chains with the policy ACCEPT, in the words of iptables-save or of nft(8). */
function isEmptyTable(line: string): boolean {
  if (/: ip6?tables (nft|legacy): \+ (\*(raw|mangle|nat|filter)|:[A-Z]+ ACCEPT|COMMIT)$/.test(line)) return true;
  return /: nftables: \+ (table ip6? (raw|mangle|nat|filter) \{|\tchain [A-Z]+ \{|\t\ttype \w+ hook \w+ priority \S+; policy accept;|\t?\}|# Warning: .*)$/.test(
    line,
  );
}

/** Puts the rules of others into every namespace of the lab. */
async function prime(lab: Lab, flavour: Flavour): Promise<void> {
  const programs = ["iptables", "ip6tables"].map((name) => `${name}-${flavour}-restore`);
  for (const { namespace } of lab.hosts) {
    for (const program of programs) await namespace.runChecked(program, ["--noflush"], { input: RULES });
  }
}
