import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Address, addAddress, addresses, link, type Scope } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

interface IpAddress {
  ifindex: number;
  addr_info: {
    family: "inet" | "inet6";
    local: string;
    address?: string;
    prefixlen: number;
    scope: string;
    tentative?: boolean;
  }[];
}

function fromIp(list: IpAddress[]): Address[] {
  return list.flatMap(({ ifindex, addr_info }) =>
    addr_info.map(({ family, local, address, prefixlen, scope, tentative = false }) => ({
      index: ifindex,
      family: family === "inet" ? (4 as const) : (6 as const),
      address: local,
      prefixLength: prefixlen,
      scope: (/^\d+$/.test(scope) ? Number(scope) : scope) as Scope,
      ...(address === undefined ? {} : { peer: address }),
      tentative,
    })),
  );
}

const sorted = (list: Address[]) =>
  list.toSorted((a, b) => a.index - b.index || a.family - b.family || a.address.localeCompare(b.address));

describe("addresses", () => {
  let namespace: ScratchNetns;

  beforeAll(async () => {
    namespace = new ScratchNetns();
    // e1 stays down, so that e0 has no carrier: no link-local address, and duplicate detection never ends.
    namespace.ip(`
      link set lo up
      link add e0 type veth peer name e1
      addr add 198.18.0.1/24 dev e0
      addr add 198.18.0.2/24 dev e0
      addr add 198.18.1.1 peer 198.18.1.2/30 dev e1
      addr add 198.18.2.1/32 dev lo scope link
      addr add 198.18.2.2/32 dev lo scope 77
      addr add 2001:2:0:1::a/64 dev e0 nodad
      addr add 2001:2:0:1::1 peer 2001:2:0:1::2/128 dev e0 nodad
      link set e0 up
    `);
    await namespace.settled();
  });

  afterAll(() => namespace[Symbol.dispose]());

  it("are what ip(8) lists", () => {
    const expected = fromIp(namespace.ipJson<IpAddress[]>("addr"));
    expect(sorted(addresses(namespace.fd))).toEqual(sorted(expected));
    expect(expected).toHaveLength(9);
  });

  it("tell our end of a point-to-point link from the other", () => {
    const found = addresses(namespace.fd).filter(({ peer }) => peer !== undefined);
    expect(found).toMatchObject([
      { family: 4, address: "198.18.1.1", peer: "198.18.1.2", prefixLength: 30 },
      { family: 6, address: "2001:2:0:1::1", peer: "2001:2:0:1::2", prefixLength: 128 },
    ]);
  });

  it("know scopes of one's own by number", () => {
    const scopes = new Map(addresses(namespace.fd).map(({ address, scope }) => [address, scope]));
    expect(scopes.get("198.18.2.1")).toBe("link");
    expect(scopes.get("198.18.2.2")).toBe(77);
    expect(scopes.get("127.0.0.1")).toBe("host");
  });

  it("are tentative while duplicate detection waits for the link", () => {
    namespace.ip("addr add 2001:2:0:1::dad/64 dev e0");
    const tentative = addresses(namespace.fd).filter(({ tentative }) => tentative);
    expect(tentative.map(({ address }) => address)).toEqual(["2001:2:0:1::dad"]);
  });
});

describe("adding an address", () => {
  let namespace: ScratchNetns;
  let index: number;

  beforeAll(() => {
    namespace = new ScratchNetns();
    namespace.ip("link add e0 type veth peer name e1");
    index = link(namespace.fd, "e0")?.index ?? 0;
  });

  afterAll(() => namespace[Symbol.dispose]());

  it("gives it to the link as ip(8) does, once", () => {
    const four = { index, address: "198.18.0.7", prefixLength: 24 };
    const six = { index, address: "2001:2::7", prefixLength: 128, noDad: true };
    for (const spec of [four, six]) {
      addAddress(namespace.fd, spec);
      expect(() => addAddress(namespace.fd, spec)).toThrow(expect.objectContaining({ code: "EEXIST" }));
    }
    const listed = namespace.ipJson<IpAddress[]>("addr show dev e0").flatMap(({ addr_info }) => addr_info);
    expect(listed).toMatchObject([
      { family: "inet", local: "198.18.0.7", prefixlen: 24, scope: "global" },
      { family: "inet6", local: "2001:2::7", prefixlen: 128, scope: "global", nodad: true },
    ]);
  });

  it("waits for duplicate detection unless told not to", () => {
    const dad = (address: string, noDad: boolean) => {
      addAddress(namespace.fd, { index, address, prefixLength: 64, noDad });
      return addresses(namespace.fd).find((each) => each.address === address)?.tentative;
    };
    namespace.ip("link set e0 up");
    expect(dad("2001:2:0:1::1", false)).toBe(true);
    expect(dad("2001:2:0:1::2", true)).toBe(false);
  });

  it("says which link and address could not be had", () => {
    const add = (spec: { index: number; address: string; prefixLength: number }) => () =>
      addAddress(namespace.fd, spec);
    const noLink = { code: "ENODEV", message: expect.stringContaining("198.18.0.8/32 to link 987654") };
    const refused = expect.objectContaining({ code: "EINVAL" });
    const invalid = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
    expect(add({ index: 987_654, address: "198.18.0.8", prefixLength: 32 })).toThrow(expect.objectContaining(noLink));
    expect(add({ index, address: "198.18.0.8", prefixLength: 33 })).toThrow(refused);
    expect(add({ index, address: "198.18.0.8/32", prefixLength: 32 })).toThrow(invalid);
  });
});
