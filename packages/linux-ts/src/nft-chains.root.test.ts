import { expect, it } from "vitest";
import { ipSets, nftChains } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

it("lists chains with their tables, those of iptables-nft among them, and tells which are called by a hook", () => {
  using scratch = new ScratchNetns();
  expect(nftChains(scratch.fd)).toEqual([]);
  scratch.sh("nft add table bridge b; nft add chain bridge b c; iptables-nft -t mangle -N MINE");
  scratch.sh("nft 'add chain ip mangle PREROUTING { type filter hook prerouting priority mangle; }'");
  expect(nftChains(scratch.fd)).toEqual(
    expect.arrayContaining([
      { family: "bridge", table: "b", name: "c", isBase: false },
      { family: "ip", table: "mangle", name: "MINE", isBase: false },
      { family: "ip", table: "mangle", name: "PREROUTING", isBase: true },
    ]),
  );
});

it("lists the names of sets, more than fit into one message, and of the namespace that is asked", () => {
  using scratch = new ScratchNetns();
  expect(ipSets(scratch.fd)).toEqual([]);
  const names = Array.from({ length: 400 }, (_, index) => `set-with-a-rather-long-name-${index}`).sort();
  scratch.sh(`ipset restore <<END\n${names.map((name) => `create ${name} hash:ip`).join("\n")}\nEND`);
  expect(ipSets(scratch.fd)?.sort()).toEqual(names);
  using other = new ScratchNetns();
  expect(ipSets(other.fd)).toEqual([]);
});
