import { describe, expect, test } from "vitest";
import { byCodeUnit, canonicalAddress, sortedUnique } from "../events/address.ts";
import { canonicalJson } from "../events/canonical-json.ts";
import { canonicalCidr } from "../events/cidr.ts";
import type { EventRecord } from "../events/event.ts";
import { eventTypes } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import { parseRecord } from "../events/parse.ts";
import { toSnapshot } from "../state/snapshot.ts";
import { MOST_FAILURES } from "../switch/evolve-switch.ts";
import { replayed } from "../testing/replayed.ts";
import {
  meshNamespace,
  plainNamespace,
  pod,
  proxyPod,
  Scenario,
  seeded,
  started,
  synced,
  veth,
  workload,
} from "../testing/scenario.ts";
import { scrubbed } from "./free-text.ts";
import { redactionRules } from "./places.ts";
import { addressPseudonyms, namePseudonyms, networkPseudonyms } from "./pseudonyms.ts";
import { Redactor } from "./redactor.ts";

/** Two runs with everything in them that can be redacted. */
function recorded(): EventRecord[] {
  const run = new Scenario();
  const annotations = {
    "millrace.dev/exclude-outbound-cidrs": "198.18.9.0/24, 2001:2:9::/48,198.18.9.7,none",
    "millrace.dev/exclude-inbound-ports": "8080,http",
    "sidecar.istio.io/status": '{"image":"registry.corp/x"}',
  };
  const { "sidecar.istio.io/status": _, ...excluding } = annotations;
  run.feed(
    started(),
    inputs.backendSelected({
      mode: "auto",
      backend: "ebpf",
      probes: [{ backend: "ebpf", capable: true, summary: "kernel of n1" }],
      reason: "first",
    }),
    inputs.hostAddresses(["198.19.0.1", "2001:2:0:ff::1"]),
    inputs.nodeObserved({ name: "n1", addresses: ["198.19.0.1"] }),
    meshNamespace(),
    meshNamespace("warehouse"),
    plainNamespace("istio-system"),
    proxyPod(90),
    veth(90, { namespace: "istio-system", name: "ztunnel-90" }),
    pod(1, { annotations: excluding }),
    veth(1),
    pod(2, { namespace: "warehouse", name: "ledger", labels: { app: "payments" } }),
    veth(2, { namespace: "warehouse", name: "ledger" }),
    pod(3, { annotations }),
    synced,
    inputs.discoveryFailed({
      uid: "uid-3",
      attempts: [{ method: "route", outcome: "no route to 198.18.1.13 for shop/pod-3" }],
    }),
  );
  run.succeed("node", "proxies", workload(1));
  run.feed(inputs.switchRequested({ to: "iptables", mode: "auto", reason: "shop/pod-1 cannot reach 198.18.1.12" }));
  run.feed({
    type: "redirection.failed",
    subject: "proxies",
    data: {
      action: "use-proxies",
      generation: run.state.requested.get("proxies")?.seq ?? 0,
      durationMs: 1,
      attempt: MOST_FAILURES,
      error: { code: "EBUSY", message: "ztunnel-90 at 198.18.1.90 is busy" },
    },
  });
  run.feed({ type: "state.snapshot", subject: "log", data: toSnapshot(run.state) });
  run.feed(
    { type: "drift.found", subject: workload(1), data: { problems: ["pod-1 lacks 198.18.1.11"] } },
    inputs.agentStopped("SIGTERM"),
    started(),
    inputs.watchLost("manifests", "dial https://198.19.0.1:6443/api: no route"),
  );
  run.feed({ type: "state.snapshot", subject: "log", data: toSnapshot(run.state) });
  run.feed(synced, meshNamespace(), pod(1), veth(1), inputs.namespaceRemoved("warehouse"));
  return run.records;
}

const redacted = (records: readonly EventRecord[]) => {
  const redactor = new Redactor(records);
  return records.map((record) => redactor.redact(record));
};

describe("a redacted log", () => {
  const records = recorded();
  const after = redacted(records);

  test("is one, and replays as the one it was made of", () => {
    expect(after.map((record) => parseRecord(JSON.parse(canonicalJson(record))))).toEqual(after);
    const { state: _, ...before } = replayed(records);
    expect(before).toMatchObject({ differences: [], snapshots: 2 });
    const { state: __, ...result } = replayed(after);
    expect(result).toEqual(before);
  });

  test("has none of the names and addresses, in no place", () => {
    const text = after.map(canonicalJson).join("\n");
    const words = [
      "shop",
      "warehouse",
      "istio-system",
      "kube-system",
      "ledger",
      "ztunnel-90",
      '"n1"',
      " n1",
      "payments",
    ];
    const others = ["198.18.", "198.19.", "2001:2:", "02:00:00:00:00:5a", "registry.corp", "/run/netns/pod"];
    for (const word of [...words, ...others]) {
      expect(records.map(canonicalJson).join("\n")).toContain(word);
      expect(text).not.toContain(word);
    }
  });

  test("keeps what an incident is told by", () => {
    const text = after.map(canonicalJson).join("\n");
    for (const word of ["uid-1", "container-1", "veth1", "8080", "https://redacted/api: no route", "no route to"]) {
      expect(text).toContain(word);
    }
  });
});

test("every type has a rule, or nothing to redact", () => {
  const rules = redactionRules({} as never);
  expect(eventTypes.filter((type) => !(type in rules))).toEqual([
    "interface.removed",
    "link.changed",
    "pod.removed",
    "redirection.applied",
    "redirection.removed",
    "resync.due",
    "retry.due",
    "watch.synced",
  ]);
});

describe("pseudonyms", () => {
  const random = seeded(4);
  const byte = () => Math.floor(random() * 256);
  const v4 = () => `${byte()}.${byte()}.${byte()}.${byte()}`;
  const v6 = () => canonicalAddress(`${((byte() << 8) | byte()).toString(16)}:${byte()}::${byte()}`) as string;
  const addresses = new Set(Array.from({ length: 3000 }, (_, index) => (index % 2 === 0 ? v4() : v6())));
  // More changes of family than there are in reality are not kept in order.
  const real = new Set([...addresses].filter((address) => /^(10|172|192|2001|fd|fe80|100)/.test(address)));

  test.each([
    ["names", new Set(["web", "api", "Z", "web-1"]), (set: Set<string>) => namePseudonyms("pod", set), () => true],
    ["addresses", real, addressPseudonyms, (text: string) => canonicalAddress(text) === text],
    [
      "networks",
      new Set([...real].map((address) => canonicalCidr(`${address}/${address.includes(":") ? 48 : 20}`) as string)),
      networkPseudonyms,
      (text: string) => canonicalCidr(text) === text,
    ],
  ])("of %s are as many, in the same order, and of the form that they have here", (_, words, make, isOne) => {
    const pseudonyms = make(words);
    expect(pseudonyms.size).toBe(words.size);
    const others = [...words].sort(byCodeUnit).map((word) => pseudonyms.get(word) as string);
    expect(others).toEqual(sortedUnique(others));
    expect(others.filter((other) => !isOne(other))).toEqual([]);
  });
});

test.each([
  ["no route to 198.18.1.1 via 2001:2::1.", "no route to address via address."],
  ["198.18.1.1:6443: refused", "address:6443: refused"],
  ["pod shop/web-1 (::1) of shopping", "pod namespace-1/web-1 (address) of shopping"],
  ["GET https://api.corp.example:6443/api/v1?x=1 failed", "GET https://redacted/api/v1?x=1 failed"],
  ["/run/netns/x: ENOENT at 12:30:45", "/run/netns/x: ENOENT at 12:30:45"],
])("%j becomes %j", (text, expected) => {
  expect(scrubbed(text, (word) => (word === "shop" ? "namespace-1" : undefined))).toBe(expected);
});
