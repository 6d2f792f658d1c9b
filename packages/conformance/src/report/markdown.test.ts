import { expect, test } from "vitest";
import type { Behaviour } from "../suite/behaviour.ts";
import { renderMarkdown, type TableReport } from "./markdown.ts";

const behaviour = (over: Partial<Behaviour>): Behaviour => ({
  id: "one",
  title: "t",
  given: "g",
  when: "w",
  outcome: "o",
  run: async () => undefined,
  ...over,
});
const behaviours = [
  behaviour({ number: 1 }),
  behaviour({ id: "two", number: 2, temperatures: ["cold"], families: [6] }),
  behaviour({ id: "x-other" }),
  behaviour({ id: "x-none" }),
];
const report = (over: Partial<TableReport>): TableReport => ({
  variant: "mine",
  services: "nft",
  pods: "routed",
  kernel: "6.12",
  commit: "0123",
  startedAt: "2026-11-22T19:00:00.000Z",
  notApplicable: [],
  unclaimed: [],
  results: [],
  ...over,
});
const cold = { family: 4, temperature: "cold" } as const;

test("has a row for every behaviour, what each trial showed, and what was not run", () => {
  const results = [
    { id: "one", number: 1, ...cold, passed: false },
    { id: "one", number: 1, family: 6, temperature: "warm", passed: true } as const,
  ];
  const second = report({
    results: [{ id: "one", number: 1, ...cold, passed: true }],
    unclaimed: [{ id: "two", number: 2 }],
    notApplicable: [{ id: "x-none", because: "no tcx" }],
  });
  expect(
    renderMarkdown([report({ results }), second], behaviours),
  ).toBe(`|  | behaviour | claimed | IPv4 cold | IPv4 warm | IPv6 cold | IPv6 warm |
| --- | --- | --- | --- | --- | --- | --- |
| 1 | \`one\` | yes | passed | not run | not run | passed |
| 2 | \`two\` | no | – | – | – | – |
|  | \`x-other\` | yes | not run | not run | not run | not run |
|  | \`x-none\` | does not apply | – | – | – | – |

- \`x-none\` does not apply: no tcx.

1/30 behaviours, 2 trials passed, 0 failed. \`mine\`, Services by nft, pods routed, Linux \`6.12\`, 2026-11-22, commit \`0123\`.
`);
});

test("says what failed, and what a behaviour is not meant for", () => {
  const results = [{ id: "two", number: 2, family: 6, temperature: "cold", passed: false } as const];
  const table = renderMarkdown([report({ results })], behaviours);
  expect(table).toContain("| 2 | `two` | yes | · | · | **failed** | · |");
  expect(table).toContain("0/30 behaviours, 0 trials passed, 1 failed.");
});
