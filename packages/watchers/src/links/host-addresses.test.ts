import type { Address } from "linux-ts";
import { expect, test } from "vitest";
import { HostAddresses } from "./host-addresses.ts";

const address = (index: number, text: string, prefixLength = 24): Address => ({
  index,
  family: text.includes(":") ? 6 : 4,
  address: text,
  prefixLength,
  scope: "global",
  tentative: false,
});

test("are each told once, sorted, without the loopback's", () => {
  const addresses = new HostAddresses();
  addresses.reset([
    address(1, "127.0.0.1", 8),
    address(1, "::1", 128),
    address(3, "198.18.0.9"),
    address(2, "198.18.0.1"),
  ]);
  addresses.set(address(2, "198.18.0.1"));
  addresses.set(address(4, "198.18.0.1"));
  expect(addresses.list()).toEqual(["198.18.0.1", "198.18.0.9"]);
});

test("stay while any link or prefix has them", () => {
  const addresses = new HostAddresses();
  for (const one of [address(2, "198.18.0.1"), address(2, "198.18.0.1", 32), address(3, "198.18.0.1")])
    addresses.set(one);
  addresses.remove(address(2, "198.18.0.1"));
  addresses.removeLink({ index: 3 });
  expect(addresses.list()).toEqual(["198.18.0.1"]);
  addresses.remove(address(2, "198.18.0.1", 32));
  expect(addresses.list()).toEqual([]);
});

test("are those of the list, whatever was told before", () => {
  const addresses = new HostAddresses();
  addresses.set(address(2, "198.18.0.1"));
  addresses.reset([address(2, "198.18.0.2")]);
  expect(addresses.list()).toEqual(["198.18.0.2"]);
});
