import { ScratchNetns } from "linux-ts/testing";
import { expect, test } from "vitest";
import { iptablesRestore, legacyTables } from "../commands/iptables.ts";
import type { Flavour } from "../commands/iptables-names.ts";
import { chooseFlavour, tryFlavour } from "./choose-flavour.ts";

const OURS = "*mangle\n:OURS-PRE - [0:0]\n-I PREROUTING 1 -j OURS-PRE\n-A OURS-PRE -j RETURN\nCOMMIT\n";
const HINT = "*mangle\n:KUBE-IPTABLES-HINT - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n";
const CALICO = "*filter\n:cali-FORWARD - [0:0]\n-A FORWARD -j cali-FORWARD\n-A cali-FORWARD -j ACCEPT\nCOMMIT\n";
const FIREWALL = "*filter\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n";
const MORE = `*filter\n${"-A INPUT -p tcp --dport 22 -j ACCEPT\n".repeat(5)}COMMIT\n`;

const ask = (there: ScratchNetns, wanted: "auto" | Flavour = "auto") =>
  chooseFlavour({ wanted, isOurs: (chain) => chain.startsWith("OURS-"), families: [4, 6], netns: there.fd });

test.each<[string, string[], string[], Flavour, RegExp]>([
  ["a host that nobody has touched", [], [], "nft", /nobody/],
  ["nft only", [CALICO], [], "nft", /cali-FORWARD/],
  ["legacy only", [], [CALICO], "legacy", /cali-FORWARD/],
  ["a firewall in legacy only", [], [FIREWALL], "legacy", /rules: 1/],
  ["kubelet's hint in nft, a cluster's leftovers in legacy", [HINT], [CALICO, MORE], "nft", /KUBE-IPTABLES-HINT/],
  ["kubelet's hint in legacy, a firewall in nft", [MORE], [HINT], "legacy", /KUBE-IPTABLES-HINT/],
  ["hints in both: counts decide", [HINT, FIREWALL], [HINT, MORE], "legacy", /legacy 5/],
  ["ours alone in legacy", [], [OURS], "legacy", /our own/],
  ["ours in legacy, the cluster in nft since", [HINT, CALICO], [OURS], "legacy", /our own/],
  ["our chain in legacy, but empty", [HINT], ["*mangle\n:OURS-PRE - [0:0]\nCOMMIT\n"], "nft", /kubelet/],
])("%s", async (_, nft, legacy, flavour, reason) => {
  using there = new ScratchNetns();
  for (const text of nft) await iptablesRestore({ flavour: "nft", family: 4, netns: there.fd, text });
  for (const text of legacy) await iptablesRestore({ flavour: "legacy", family: 4, netns: there.fd, text });
  const before = [there.sh("nft list ruleset"), await legacyTables(4, { netns: there.fd })];
  const choice = await ask(there);
  expect(choice).toMatchObject({ flavour, leftBehind: undefined });
  expect(choice.reason).toMatch(reason);
  expect([there.sh("nft list ruleset"), await legacyTables(4, { netns: there.fd })]).toEqual(before);
});

test("only IPv6 rules in legacy count as well", async () => {
  using there = new ScratchNetns();
  await iptablesRestore({ flavour: "legacy", family: 6, netns: there.fd, text: CALICO });
  expect(await ask(there)).toMatchObject({ flavour: "legacy" });
});

test("the choice is not primed by what was written after the first one", async () => {
  using there = new ScratchNetns();
  await iptablesRestore({ flavour: "nft", family: 4, netns: there.fd, text: HINT });
  const first = await ask(there);
  await iptablesRestore({ flavour: first.flavour, family: 4, netns: there.fd, text: OURS });
  await iptablesRestore({ flavour: "legacy", family: 4, netns: there.fd, text: MORE });
  expect(await ask(there)).toMatchObject({ flavour: first.flavour });
});

test("the configuration's word counts, and what it leaves behind in the other flavour is told", async () => {
  using there = new ScratchNetns();
  await iptablesRestore({ flavour: "legacy", family: 4, netns: there.fd, text: OURS });
  expect(await ask(there, "nft")).toEqual({
    flavour: "nft",
    reason: "the configuration says so",
    leftBehind: "legacy",
  });
  expect(await ask(there, "legacy")).toMatchObject({ flavour: "legacy", leftBehind: undefined });
});

test("both flavours can be tried without a trace", async () => {
  expect(await tryFlavour("nft")).toBeUndefined();
  expect(await tryFlavour("legacy")).toBeUndefined();
});
