import type { Report } from "@millrace/conformance";
import { describe, expect, it } from "vitest";
import { renderPage } from "./page.ts";
import { forget, merge, type Results, type SelectionResult, type SuiteResult, suiteResult } from "./results.ts";

const suite = (kernel: SuiteResult["kernel"], variant: string, extra: Partial<SuiteResult> = {}): SuiteResult => ({
  kernel,
  release: `${kernel}.0-1-cloud-amd64`,
  variant,
  headline: "30/30 behaviours",
  services: "nft",
  tunnel: "none",
  tunnelPackets: 0,
  families: { ipv4: { passed: 60, failed: 0 }, ipv6: { passed: 58, failed: 0 } },
  failures: [],
  notApplicable: [],
  commit: "0123456789ab",
  startedAt: "2026-11-21T10:00:00.000Z",
  seconds: 600,
  ...extra,
});
const selection = (kernel: SelectionResult["kernel"], reason: string): SelectionResult => ({
  kernel,
  release: `${kernel}.0`,
  commit: "0123456789ab",
  startedAt: "2026-11-21T10:00:00.000Z",
  choices: [
    {
      situation: "nothing",
      expected: "ebpf",
      backend: "ebpf",
      reason,
      captured: ["outbound IPv4"],
      tunnel: "none",
      passed: true,
    },
  ],
});
const NOTHING: Results = { suites: [], selections: [] };

describe("suiteResult", () => {
  it("counts per family, sums the tunnel's packets and names what failed", () => {
    const trial = (family: 4 | 6, passed: boolean) => ({
      id: "outbound-tcp",
      title: "",
      family,
      temperature: "cold" as const,
      passed,
      ms: 1,
      evidence: [],
      differences: [],
      repeat: "",
    });
    const report: Report = {
      headline: "0/30 behaviours",
      backend: "iptables",
      variant: "iptables nft",
      backendConfig: {},
      services: "iptables-nft",
      pods: "routed",
      kernel: "6.12.1",
      commit: "0123456789ab",
      startedAt: "2026-11-21T10:00:00.000Z",
      seconds: 12,
      passed: 2,
      failed: 1,
      tunnel: "geneve",
      tunnels: [
        { device: "a", kind: "geneve", received: 1, sent: 2 },
        { device: "b", kind: "geneve", received: 3, sent: 4 },
      ],
      logs: { started: 2, refused: 0, replayed: 1, logs: 1, events: 9, none: 0, because: [], missing: 1 },
      logFailures: ["event 7 (intents)"],
      notApplicable: [{ id: "x-syn-cookies", because: "" }],
      unclaimed: [],
      differences: [],
      results: [trial(4, true), trial(4, true), trial(6, false)],
    };
    expect(suiteResult("6.12", "iptables-nft", report)).toMatchObject({
      release: "6.12.1",
      tunnelPackets: 10,
      families: { ipv4: { passed: 2, failed: 0 }, ipv6: { passed: 0, failed: 1 } },
      failures: ["outbound-tcp IPv6 cold", expect.stringMatching(/1 NOT VERIFIED$/)],
      notApplicable: ["x-syn-cookies"],
    });
  });
});

describe("merge", () => {
  it("replaces only what was run again, and keeps the order of kernels and variants", () => {
    const old = merge(NOTHING, {
      suites: [suite("6.12", "ebpf-tcx"), suite("5.10", "iptables-nft"), suite("5.10", "ebpf-clsact")],
      selections: [selection("host", "old"), selection("5.10", "old")],
    });
    const again = suite("5.10", "ebpf-clsact", { headline: "29/30 behaviours" });
    const merged = merge(old, { suites: [again], selections: [selection("5.10", "new")] });
    expect(merged.suites.map(({ kernel, variant }) => `${kernel} ${variant}`)).toEqual([
      "5.10 ebpf-clsact",
      "5.10 iptables-nft",
      "6.12 ebpf-tcx",
    ]);
    expect(merged.suites[0]).toEqual(again);
    expect(merged.selections.map(({ kernel, choices }) => `${kernel} ${choices[0]?.reason}`)).toEqual([
      "5.10 new",
      "host old",
    ]);
  });
});

describe("forget", () => {
  it("drops what is not known any more, of one kernel only", () => {
    const old = { suites: [suite("5.10", "ebpf-clsact"), suite("6.1", "ebpf-clsact")], selections: [] };
    expect(forget(old, "5.10", ["ebpf-clsact", "selection"]).suites).toEqual([suite("6.1", "ebpf-clsact")]);
  });
});

describe("renderPage", () => {
  it("has a row per kernel and variant, and one per situation", () => {
    const page = renderPage({
      suites: [
        suite("5.10", "ebpf-clsact"),
        suite("5.10", "iptables-legacy", {
          tunnel: "geneve",
          tunnelPackets: 4711,
          families: { ipv4: { passed: 59, failed: 1 }, ipv6: { passed: 58, failed: 0 } },
          failures: ["icmp IPv4 cold"],
        }),
      ],
      selections: [selection("5.10", "first of the list | and capable")],
    });
    expect(page).toContain(
      "| 5.10 | `5.10.0-1-cloud-amd64` | ebpf | clsact | – | 60 passed | 58 passed | 30/30 | 2026-11-21 | `0123456789ab` |",
    );
    expect(page).toContain("| iptables | legacy | geneve, 4711 packets | 59 passed, **1 failed** |");
    expect(page).toContain("- 5.10, iptables-legacy: icmp IPv4 cold");
    expect(page).toContain("| 5.10 | nothing | ebpf | first of the list \\| and capable | outbound IPv4 | – |");
  });
});
