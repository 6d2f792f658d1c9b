import { expect, test } from "vitest";
import { isPerCpu, joinPerCpu, perCpuStride, splitPerCpu } from "./per-cpu.ts";

test("each CPU's value takes a multiple of 8 bytes", () => {
  expect([0, 1, 4, 8, 9, 16].map(perCpuStride)).toEqual([0, 8, 8, 8, 16, 16]);
});

test("splitting drops the padding, joining puts it back", () => {
  const values = Uint8Array.of(1, 2, 3, 0, 0, 0, 0, 0, 4, 5, 6, 0, 0, 0, 0, 0);
  const split = splitPerCpu(values, 3);
  expect(split).toEqual([Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)]);
  expect(joinPerCpu(split, 3)).toEqual(values);
});

test("a value of another size is refused, and named", () => {
  const join = () => joinPerCpu([new Uint8Array(4), new Uint8Array(5)], 4);
  expect(join).toThrow(expect.objectContaining({ name: "RangeError", code: "ERR_OUT_OF_RANGE" }));
  expect(join).toThrow("CPU 1 has 5 bytes");
});

test("which kinds are per CPU", () => {
  expect(isPerCpu("lru_percpu_hash")).toBe(true);
  expect(isPerCpu("lru_hash")).toBe(false);
  expect(isPerCpu("unknown(99)")).toBe(false);
});
