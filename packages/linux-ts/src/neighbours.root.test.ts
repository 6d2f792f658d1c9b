import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { deleteNeighbour, link, type Neighbour, neighbours, neighboursAsync } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

interface IpNeighbour {
  dst: string;
  dev: string;
  lladdr?: string;
  state: string[];
}

describe("neighbours", () => {
  let here: ScratchNetns;
  let there: ScratchNetns;
  let index: number;

  beforeEach(() => {
    here = new ScratchNetns();
    there = new ScratchNetns();
    here.ip(`
      link add e0 type veth peer name e1 netns ${there.name}
      addr add 198.18.0.1/24 dev e0
      addr add 2001:2::1/64 dev e0 nodad
      link set e0 up
    `);
    there.ip(`
      addr add 198.18.0.2/24 dev e1
      addr add 2001:2::2/64 dev e1 nodad
      link set e1 up
    `);
    index = link(here.fd, "e0")?.index ?? 0;
  });
  afterEach(() => {
    here[Symbol.dispose]();
    there[Symbol.dispose]();
  });

  const ping = () => here.sh("for to in 198.18.0.2 2001:2::2; do ping -nqc 1 -W 5 $to; done");
  const learnt = (namespace: ScratchNetns): Neighbour[] =>
    neighbours(namespace.fd).filter(({ address }) => address === "198.18.0.2" || address === "2001:2::2");

  it("are what ip(8) lists, learnt, configured and failed ones", () => {
    ping();
    here.ip(`
      neigh add 198.18.0.9 lladdr 02:00:00:00:00:09 dev e0
      neigh add 2001:2::9 lladdr 02:00:00:00:00:0a dev e0 nud noarp
      neigh add 2001:2::a dev e0 nud failed
    `);
    const states = (from: readonly [string, string | undefined, string][]) =>
      from
        // Of groups the kernel makes some whenever it reports its memberships.
        .filter(([address]) => !address.startsWith("ff"))
        // A state that only time changes.
        .map(([address, mac, state]) => [
          address,
          mac,
          /^(reachable|delay|probe|stale)$/.test(state) ? "learnt" : state,
        ])
        .sort(([a = ""], [b = ""]) => a.localeCompare(b));
    const listed = ["-4", "-6"].flatMap((family) => here.ipJson<IpNeighbour[]>(`${family} neigh show nud all dev e0`));
    const found = neighbours(here.fd).filter((neighbour) => neighbour.index === index);
    expect(states(found.map(({ address, mac, state }) => [address, mac, state]))).toEqual(
      states(listed.map(({ dst, lladdr, state }) => [dst, lladdr, (state[0] ?? "none").toLowerCase()])),
    );
    const macOfPeer = link(there.fd, "e1")?.mac;
    expect(learnt(here)).toMatchObject([
      { family: 4, mac: macOfPeer },
      { family: 6, mac: macOfPeer },
    ]);
    const configured = found.filter(({ address }) => /^(198|2001).*(9|::a)$/.test(address)).map(({ state }) => state);
    expect(configured.sort()).toEqual(["failed", "noarp", "permanent"]);
  });

  it("of one link are those that the whole list has of it", async () => {
    here.ip(`
      link add e8 type veth peer name e9
      link set e8 up
      neigh add 198.18.0.9 lladdr 02:00:00:00:00:09 dev e0
      neigh add 198.18.0.9 lladdr 02:00:00:00:00:08 dev e8
      neigh add 2001:2::9 lladdr 02:00:00:00:00:0a dev e8
    `);
    const other = link(here.fd, "e8")?.index ?? 0;
    const configured = ({ state }: Neighbour) => state === "permanent";
    const found = (await neighboursAsync(here.fd, other)).filter(configured);
    expect(found).toEqual(neighbours(here.fd).filter((each) => each.index === other && configured(each)));
    expect(found.map(({ mac }) => mac).sort()).toEqual(["02:00:00:00:00:08", "02:00:00:00:00:0a"]);
    expect(await neighboursAsync(here.fd, 999_999)).toEqual([]);
    await expect(neighboursAsync(1_000_000, other)).rejects.toMatchObject({ name: "LinuxError", code: "EBADF" });
  });

  it("are forgotten one at a time, in their namespace alone, and learnt again", () => {
    ping();
    const [four, six] = learnt(here) as [Neighbour, Neighbour];
    const back = () =>
      neighbours(there.fd).filter(({ address }) => address === "198.18.0.1" || address === "2001:2::1");
    const elsewhere = back().length;
    expect(elsewhere).toBe(2);
    expect(deleteNeighbour(here.fd, four)).toBe(true);
    expect(learnt(here)).toMatchObject([{ family: 6 }]);
    expect(deleteNeighbour(here.fd, six)).toBe(true);
    expect(learnt(here)).toEqual([]);
    expect(back()).toHaveLength(elsewhere);
    ping();
    expect(learnt(here)).toHaveLength(2);
  });

  it("that are not there, or whose link is gone, are told from other failures", () => {
    expect(deleteNeighbour(here.fd, { index, address: "198.18.0.77" })).toBe(false);
    expect(deleteNeighbour(here.fd, { index: 987_654, address: "2001:2::77" })).toBe(false);
    const invalid = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
    expect(() => deleteNeighbour(here.fd, { index, address: "198.18.0.0/24" })).toThrow(invalid);
    // Link 0 is none: the kernel wants one (neigh_delete(), net/core/neighbour.c).
    expect(() => deleteNeighbour(here.fd, { index: 0, address: "198.18.0.2" })).toThrow(
      expect.objectContaining({ code: "EINVAL", message: expect.stringContaining("198.18.0.2 of link 0") }),
    );
  });
});
