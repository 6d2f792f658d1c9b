import { expect, test } from "vitest";
import { helperNumber } from "./helper-names.ts";
import { LINK_TYPES, MAP_TYPES, nameOf } from "./kernel-names.ts";

test("a number has the name of its table, an unknown one says so", () => {
  expect(nameOf(MAP_TYPES, 27)).toBe("ringbuf");
  expect(nameOf(LINK_TYPES, 11)).toBe("tcx");
  expect(nameOf(LINK_TYPES, 99)).toBe("unknown(99)");
});

test("helpers have the numbers of include/uapi/linux/bpf.h", () => {
  const numbers = { map_lookup_elem: 1, redirect: 23, skc_lookup_tcp: 99, sk_assign: 124, ringbuf_output: 130 };
  for (const [name, number] of Object.entries(numbers)) expect(helperNumber(name), name).toBe(number);
  expect(helperNumber("redirect_peer")).toBe(155);
  expect(helperNumber("user_ringbuf_drain")).toBe(209);
  expect(helperNumber("no_such_helper")).toBeUndefined();
});
