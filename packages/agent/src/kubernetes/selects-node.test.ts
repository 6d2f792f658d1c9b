import { expect, test } from "vitest";
import { placement, selectsNode } from "./selects-node.ts";

const labels = { pool: "a", cpus: "16", "kubernetes.io/os": "linux" };
const selects = (raw: object) => selectsNode(placement.parse(raw), "n1", labels);
const affinity = (...nodeSelectorTerms: object[]) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});
const expression = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator, ...(values.length > 0 && { values }) }],
});

test("a selector has to be met wholly", () => {
  expect(selects({})).toBe(true);
  expect(selects({ nodeSelector: { pool: "a" } })).toBe(true);
  expect(selects({ nodeSelector: { pool: "a", zone: "x" } })).toBe(false);
  expect(selects({ nodeSelector: { pool: "b" } })).toBe(false);
});

test.each([
  ["In", ["b", "a"], true],
  ["In", ["b"], false],
  ["NotIn", ["b"], true],
  ["NotIn", ["a"], false],
  ["Exists", [], true],
  ["DoesNotExist", [], false],
])("pool %s %j is %s", (operator, values, met) => {
  expect(selects(affinity(expression("pool", operator, ...values)))).toBe(met);
});

test("numbers, absent labels, the name of the node, and what is not known", () => {
  expect(selects(affinity(expression("cpus", "Gt", "9")))).toBe(true);
  expect(selects(affinity(expression("cpus", "Lt", "9")))).toBe(false);
  expect(selects(affinity(expression("zone", "Gt", "9")))).toBe(false);
  expect(selects(affinity(expression("zone", "NotIn", "x")))).toBe(true);
  expect(selects(affinity(expression("zone", "DoesNotExist")))).toBe(true);
  expect(selects(affinity({ matchFields: [{ key: "metadata.name", operator: "In", values: ["n1"] }] }))).toBe(true);
  expect(selects(affinity({ matchFields: [{ key: "metadata.name", operator: "In", values: ["n2"] }] }))).toBe(false);
  expect(selects(affinity(expression("pool", "Resembles", "b")))).toBe(true);
});

test("one term is enough, all of it; none selects nothing", () => {
  expect(selects(affinity(expression("pool", "In", "b"), expression("pool", "In", "a")))).toBe(true);
  const both = {
    matchExpressions: [
      ...expression("pool", "In", "a").matchExpressions,
      ...expression("zone", "Exists").matchExpressions,
    ],
  };
  expect(selects(affinity(both))).toBe(false);
  expect(selects(affinity({}))).toBe(false);
  expect(selects(affinity())).toBe(false);
});
