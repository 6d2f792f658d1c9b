import { expect, it } from "vitest";
import { hasCapability } from "./capabilities.ts";

const status = (hex: string) => `Name:\tnode\nCapPrm:\tffffffffffffffff\nCapEff:\t${hex}\nCapBnd:\tffffffffffffffff\n`;

it("reads effective capabilities", () => {
  expect(hasCapability("CAP_NET_ADMIN", status("0000000000001000"))).toBe(true);
  expect(hasCapability("CAP_SYS_ADMIN", status("0000000000001000"))).toBe(false);
  expect(hasCapability("CAP_BPF", status("0000008000000000"))).toBe(true);
  expect(hasCapability("CAP_BPF", status("0000004000000000"))).toBe(false);
});

it("counts CAP_SYS_ADMIN as CAP_BPF, as the kernel does", () => {
  expect(hasCapability("CAP_BPF", status("0000000000200000"))).toBe(true);
});

it("refuses a status without capabilities", () => {
  expect(() => hasCapability("CAP_BPF", "Name:\tnode\n")).toThrow(SyntaxError);
});
