import { expect, test } from "vitest";
import { MODES } from "./modes.ts";
import { CHECK, cells, FULL, QUICK } from "./plan.ts";

test("every repetition has every mode, and begins with another one", () => {
  const [series] = QUICK.series;
  const all = cells({ ...QUICK, series: [series as (typeof QUICK.series)[0]] });
  const modes = all.map(({ mode, repetition }) => `${repetition} ${mode.name}`);
  expect(modes.slice(0, 8)).toEqual([
    "1 direct",
    "1 explicit",
    "1 ebpf-tcx",
    "1 iptables-nft",
    "2 explicit",
    "2 ebpf-tcx",
    "2 iptables-nft",
    "2 direct",
  ]);
  expect(modes).toHaveLength(12);
});

test.each([FULL, CHECK])("plan $name has every mode", (plan) => {
  expect(new Set(cells(plan).map(({ mode }) => mode))).toEqual(new Set(MODES));
});

test("the quick one loads for less than three minutes, with twice that time for the namespaces", () => {
  const loads = cells(QUICK).map(({ loads, seconds }) => loads.length * Math.max(1, Math.round(seconds)));
  expect(loads.reduce((sum, seconds) => sum + seconds, 0)).toBeLessThan(60);
});
