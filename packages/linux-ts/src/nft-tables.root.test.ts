import { expect, it } from "vitest";
import { LinuxError, nftTables } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

it("lists the tables of every family by name, of the namespace that is asked", () => {
  using scratch = new ScratchNetns();
  expect(nftTables(scratch.fd)).toEqual([]);
  const tables = ["ip kube-proxy", "ip6 kube-proxy", "inet a", "arp b", "bridge c", "netdev d"];
  scratch.sh(tables.map((table) => `nft add table ${table}`).join("; "));
  expect(nftTables(scratch.fd)?.sort()).toEqual(tables.sort());
  using other = new ScratchNetns();
  expect(nftTables(other.fd)).toEqual([]);
});

it("a namespace that is none is an error, not an absence", () => {
  expect(() => nftTables(1_000_000)).toThrow(LinuxError);
});
