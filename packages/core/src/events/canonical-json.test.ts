import { expect, test } from "vitest";
import { canonicalJson } from "./canonical-json.ts";

test("keys are sorted at every depth, whatever the order in which they were written", () => {
  expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
  expect(canonicalJson({ b: 1, a: 2 })).toBe(canonicalJson({ a: 2, b: 1 }));
});

test("keys are sorted by code unit, not by locale or as numbers", () => {
  expect(canonicalJson({ é: 1, z: 1, Z: 1, 10: 1, 9: 1 })).toBe('{"10":1,"9":1,"Z":1,"z":1,"é":1}');
});

test("undefined members are left out, and the text survives a round trip", () => {
  const text = canonicalJson({ a: undefined, b: "x\n\u2028", c: -0, d: 1e21 });
  expect(text).toBe('{"b":"x\\n\u2028","c":0,"d":1e+21}');
  expect(canonicalJson(JSON.parse(text))).toBe(text);
});

test.each([[Number.NaN], [1n], [() => 1], [[undefined]], [new Date(0)], [new Map()], [Symbol("s")]])(
  "what JSON cannot say is refused: %s",
  (value) => {
    expect(() => canonicalJson({ value })).toThrow(TypeError);
  },
);
