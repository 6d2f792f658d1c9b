import { describe, expect, it } from "vitest";
import { accountOf } from "../agent/log-account.ts";
import type { TrialResult } from "../suite/run.ts";
import { badgeLine, renderBadge } from "./badge.ts";
import { renderHtml } from "./html.ts";
import { buildReport, headline, isGood, renderResult, renderSummary, renderTable, type Subject } from "./report.ts";

const result = (over: Partial<TrialResult>): TrialResult => ({
  id: "outbound-tcp",
  number: 1,
  title: "t",
  family: 4,
  temperature: "cold",
  passed: true,
  ms: 12,
  evidence: ["the proxy saw: nothing"],
  differences: [],
  ...over,
});

const results = [
  result({}),
  result({ family: 6, temperature: "warm", passed: false, failure: "no capture" }),
  result({ id: "nodeport-masquerade", number: 11, differences: ["masqueraded-source"] }),
  result({ id: "x-thing", number: undefined as never, temperature: "warm", ms: 900 }),
];
const COMMAND = "npx @millrace/conformance run --backend iptables";
const subject: Subject = {
  backend: "iptables",
  backendConfig: { flavour: "nft", tunnel: "auto" },
  services: "nft",
  pods: "routed",
  commit: "0123456789ab",
  startedAt: new Date(),
  command: COMMAND,
};
const outcome = {
  results,
  notApplicable: [{ id: "x-foreign-ok-ahead", because: "no tcx" }],
  unclaimed: [],
  tunnels: [
    { device: "mr-out", kind: "geneve", received: 3, sent: 4 },
    { device: "mr-in", kind: "vxlan", received: 0, sent: 0 },
  ],
  logs: accountOf([{ kind: "started" }, { kind: "replayed", agents: 1, events: 120 }]),
  logFailures: [],
};

describe("the report", () => {
  it("counts, and names what was run", () => {
    expect(buildReport(subject, outcome)).toMatchObject({
      passed: 3,
      failed: 1,
      headline: "1/30 behaviours",
      variant: "iptables nft",
      tunnel: "geneve",
      differences: [{ id: "masqueraded-source", shows: expect.stringContaining("client's own address") }],
    });
  });

  it("counts a numbered behaviour once all of it passed, and 2b with 2", () => {
    const second = [result({ number: 2 }), result({ number: "2b" })];
    expect(headline(second)).toBe("1/30 behaviours");
    expect(headline([...second, result({ number: "2b", passed: false })])).toBe("0/30 behaviours");
  });

  it("does not count what is unclaimed in part", () => {
    const half = [{ id: "proxy-dials-service", number: "2b" as const, title: "t" }];
    expect(headline([result({ number: 2 }), result({})], half)).toBe("1/30 behaviours");
  });

  it("shows evidence of failures only, and how to run them alone", () => {
    expect(renderResult(results[0] as TrialResult, COMMAND)).toBe(
      "pass   1  outbound-tcp                 IPv4  cold      12 ms",
    );
    const alone = `alone: ${COMMAND} --only outbound-tcp --family 6 --temperature warm`;
    const lines = renderResult(results[1] as TrialResult, COMMAND).split("\n");
    expect(lines[0]).toMatch(/^FAIL .*IPv6 {2}warm/);
    expect(lines.slice(1).map((line) => line.trim())).toEqual(["no capture", "saw the proxy saw: nothing", alone]);
    expect(renderResult(results[0] as TrialResult, COMMAND, true)).toContain("saw the proxy saw: nothing");
  });

  it("has a row for each behaviour and a cell for each family and temperature", () => {
    const unclaimed = [{ id: "fail-closed", number: 20, title: "t" }];
    const report = buildReport(subject, { ...outcome, unclaimed });
    expect(renderTable(report).split("\n")).toEqual([
      "    behaviour            v4 cold  v4 warm  v6 cold  v6 warm",
      " 1  outbound-tcp         pass     ·        ·        FAIL",
      "11  nodeport-masquerade  pass     ·        ·        ·",
      " x  x-thing              ·        pass     ·        ·",
      "20  fail-closed          unclaimed",
    ]);
  });

  it("ends with what does not apply, the slowest, the tunnel and the totals", () => {
    const summary = renderSummary(buildReport(subject, outcome)).split("\n");
    expect(summary).toContain("  x-foreign-ok-ahead: no tcx");
    expect(summary[summary.indexOf("slowest:") + 1]).toBe("     900 ms  x-thing IPv4 warm");
    expect(summary).toContain("  mr-out (geneve): 3 received, 4 sent");
    expect(summary.at(-2)).toBe("event logs: 1 agent started, 1 verified in 1 log with 120 events");
    expect(summary.at(-1)).toBe("conformance: 3 passed, 1 failed");
  });

  it("is good when something passed, nothing failed, and the log of every agent replays", () => {
    const passed = { ...outcome, results: [result({})] };
    const good = (over: object) => isGood(buildReport(subject, { ...passed, ...over }));
    expect(good({})).toBe(true);
    expect(good({ results })).toBe(false);
    expect(good({ results: [] })).toBe(false);
    expect(good({ logs: accountOf([{ kind: "started" }]) })).toBe(false);
    expect(good({ logFailures: ["event 7 (intents)"] })).toBe(false);
  });
});

describe("the page", () => {
  it("holds all there is to see, as text", () => {
    const seen = [result({ evidence: ["<script>alert('&')</script>"], passed: false, failure: 'saw "<b>"' })];
    const unclaimed = [{ id: "fail-closed", number: 20, title: "Fails closed" }];
    const page = renderHtml(buildReport(subject, { ...outcome, results: seen, unclaimed }));
    expect(page).toContain("&lt;script&gt;alert('&amp;')&lt;/script&gt;");
    expect(page).toContain("saw &quot;&lt;b&gt;&quot;");
    expect(page).not.toContain("<script");
    expect(page).toContain("<code>fail-closed</code>: Fails closed");
    expect(page).toContain(`${COMMAND} --only outbound-tcp --family 4 --temperature cold`);
  });
});

describe("the badge", () => {
  const badge = (over: object) => {
    const report = buildReport(subject, { ...outcome, results: [result({})], ...over });
    return { line: badgeLine(report), svg: renderBadge(report) };
  };

  it("says how many behaviours, and in its colour how that is", () => {
    const [good, some, bad] = [
      badge({}),
      badge({ unclaimed: [{ id: "icmp", number: 16, title: "t" }] }),
      badge({ results }),
    ];
    expect(good.line).toBe("millrace conformance: 1/30 behaviours");
    expect(some.line).toBe("millrace conformance: 1/30 behaviours, 1 unclaimed");
    expect(bad.line).toBe("millrace conformance: 1/30 behaviours, 1 failed");
    expect(
      new Set([good, some, bad].map(({ svg }) => /<rect[^>]*fill="(#[0-9a-f]+)"[^>]*>(?=<rect[^>]*url)/.exec(svg)?.[1]))
        .size,
    ).toBe(3);
  });
});
