import { expect, test } from "vitest";
import { parseIptablesSave } from "../commands/parse-iptables-save.ts";
import { decideFlavour } from "./decide-flavour.ts";
import { countUse, type FlavourUse } from "./flavour-use.ts";

const isOurs = (chain: string) => chain.startsWith("OURS-");

const use = (flavour: "nft" | "legacy", found: Partial<FlavourUse> = {}): FlavourUse => ({
  flavour,
  problem: undefined,
  ours: 0,
  hints: [],
  chains: [],
  rules: 0,
  ...found,
});

test("counts chains and rules of others, and ours apart with the jumps to them", () => {
  const saved = parseIptablesSave(`*mangle
:PREROUTING ACCEPT [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:OURS-PRE - [0:0]
:cali-PREROUTING - [0:0]
-A PREROUTING -m comment --comment "OURS-PRE" -j OURS-PRE
-A PREROUTING -g OURS-PRE
-A PREROUTING -j cali-PREROUTING
-A OURS-PRE -j RETURN
-A OURS-PRE -j ACCEPT
COMMIT
*filter
:DOCKER - [0:0]
-A DOCKER -j ACCEPT
COMMIT
`);
  expect(countUse("nft", [saved, saved], isOurs)).toEqual({
    flavour: "nft",
    problem: undefined,
    ours: 4,
    hints: ["KUBE-KUBELET-CANARY"],
    chains: ["cali-PREROUTING"],
    rules: 4,
  });
});

const hint = { hints: ["KUBE-IPTABLES-HINT"] };
const chains = { chains: ["KUBE-SERVICES"], rules: 50 };
test.each<[string, Partial<FlavourUse>, Partial<FlavourUse>, "nft" | "legacy", RegExp]>([
  ["nothing anywhere", {}, {}, "nft", /nobody uses either/],
  ["legacy does not work", {}, { problem: "no ip_tables", ...hint, rules: 9 }, "nft", /no ip_tables/],
  ["nft does not work", { problem: "no nf_tables" }, {}, "legacy", /no nf_tables/],
  ["our redirection is in legacy, the hint in nft", { ...hint, ...chains }, { ours: 5 }, "legacy", /our own/],
  ["our redirection is in nft, the hint in legacy", { ours: 5 }, { ...hint, ...chains }, "nft", /our own/],
  ["ours in both: the hint decides", { ours: 5 }, { ours: 5, ...hint }, "legacy", /kubelet/],
  [
    "the kubelet's hint outweighs any number of rules",
    hint,
    { chains: ["KUBE-SERVICES"], rules: 900 },
    "nft",
    /kubelet/,
  ],
  [
    "a hint left behind in both: the one with more rules",
    { ...hint, rules: 3 },
    { ...hint, rules: 40 },
    "legacy",
    /40/,
  ],
  ["cluster chains outweigh rules of others", { rules: 900 }, chains, "legacy", /KUBE-SERVICES/],
  ["cluster chains in both: the one with more rules", chains, { ...chains, rules: 4 }, "nft", /nft has 50/],
  ["only a firewall in legacy", {}, { rules: 2 }, "legacy", /rules: 2/],
  ["everything alike", { ...hint, ...chains }, { ...hint, ...chains }, "nft", /nobody/],
])("%s", (_, nft, legacy, flavour, reason) => {
  const choice = decideFlavour(use("nft", nft), use("legacy", legacy));
  expect(choice.flavour).toBe(flavour);
  expect(choice.reason).toMatch(reason);
});

test("neither works: refused with both reasons", () => {
  expect(() => decideFlavour(use("nft", { problem: "no A" }), use("legacy", { problem: "no B" }))).toThrow(
    expect.objectContaining({ code: "ERR_NO_FLAVOUR", message: expect.stringMatching(/nft: no A\. legacy: no B\./) }),
  );
});
