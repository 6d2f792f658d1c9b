import { expect, test } from "vitest";
import { accountOf, describeAccount, isAgent } from "./log-account.ts";

test("each agent that was started has refused, left a log that replays, or none on purpose; else it is missing", () => {
  const started = { kind: "started" } as const;
  const notes = [
    ...[started, started, started, started],
    { kind: "refused" },
    { kind: "replayed", agents: 2, events: 40 },
    { kind: "none", agents: 1, because: "there is no disk" },
  ] as const;
  expect(describeAccount(accountOf(notes))).toBe(
    "event logs: 4 agents started, 1 refused to serve, 2 verified in 1 log with 40 events, 1 without a log (there is no disk)",
  );
  expect(accountOf(notes).missing).toBe(0);
  const oneMore = accountOf([...notes, started]);
  expect(oneMore.missing).toBe(1);
  expect(describeAccount(oneMore)).toMatch(/, 1 NOT VERIFIED$/);
});

test("an agent is known by its command line, whatever is before it", () => {
  expect(isAgent(["--net=/run/netns/n1", "--", "node", "main.js", "agent", "--config", "config.yaml"])).toBe(true);
  expect(isAgent(["node", "main.js", "status", "--config", "config.yaml"])).toBe(false);
  expect(isAgent(["node", "main.js", "agent", "--help"])).toBe(false);
});
