import { expect, test } from "vitest";
import { configSchema } from "./config.ts";

test("every value has a default", () => {
  expect(configSchema.parse({})).toMatchObject({
    flavour: "auto",
    tunnel: "auto",
    port: 6081,
    vni: { outbound: 1001, inbound: 1000 },
    marks: { mask: 0x7f },
    rules: { priority: 60 },
    tables: { first: 15_100 },
    links: { outbound: "millrace-out", inbound: "millrace-in" },
  });
  expect(configSchema.parse(undefined)).toEqual(configSchema.parse({}));
});

test.each([
  ["a mask with a hole", { marks: { mask: 0x77 } }],
  ["a mask of three bits", { marks: { mask: 0x7 } }],
  ["one VNI for both directions", { vni: { outbound: 7, inbound: 7 } }],
  ["one name for both links", { links: { outbound: "a", inbound: "a" } }],
  ["a link name the kernel refuses", { links: { outbound: "a-name-too-long-for-it" } }],
  ["a block of rules that ends behind the last priority", { rules: { priority: 32_760 } }],
  ["an IPv6 gateway for IPv4", { links: { gateway4: "fe80::1" } }],
  ["a key nobody knows", { vnis: {} }],
])("refuses %s", (_, config) => {
  expect(configSchema.safeParse(config).success).toBe(false);
});

test.each([0xf, 0x7f, 0x7f0000, 0xf000_0000])("takes the mask 0x%x", (mask) => {
  expect(configSchema.parse({ marks: { mask } }).marks.mask).toBe(mask);
});
