import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addRoute, deleteRoute, link, type Route, type RouteSpec, type RouteType, routes } from "./index.ts";
import { scopeOf } from "./scope.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

interface IpHop {
  dev?: string;
  gateway?: string;
  via?: { host: string };
  weight?: number;
}

interface IpRoute extends IpHop {
  type: string;
  dst: string;
  table: string;
  protocol: string;
  scope: string;
  prefsrc?: string;
  metric?: number;
  flags: string[];
  nexthops?: IpHop[];
  nhid?: number;
}

/** RTN_* in the order of include/uapi/linux/rtnetlink.h: `ip -N` prints numbers. */
const types = "unspec unicast local broadcast anycast multicast blackhole unreachable prohibit throw".split(" ");

describe("routes", () => {
  let namespace: ScratchNetns;
  let lo: number;
  let e0: number;

  const indexOf = (name: string | undefined) => (name === undefined ? undefined : link(namespace.fd, name)?.index);
  /** `ip route show table <n>` fails where one family has no such table, and leaves the number out where both have. */
  const listed = (only?: number) =>
    ([4, 6] as const)
      .flatMap((family) =>
        namespace.ipJson<IpRoute[]>(`-${family} -N -d route show table all`).map((route) => fromIp(family, route)),
      )
      .filter(({ table }) => only === undefined || table === only);

  function fromIp(family: 4 | 6, { dev, gateway, via, prefsrc, metric, nexthops, nhid, ...rest }: IpRoute): Route {
    const oif = indexOf(dev);
    const way = gateway ?? via?.host;
    const whole = family === 4 ? 32 : 128;
    const any = family === 4 ? "0.0.0.0/0" : "::/0";
    return {
      family,
      dst: rest.dst === "default" ? any : rest.dst.includes("/") ? rest.dst : `${rest.dst}/${whole}`,
      table: Number(rest.table),
      type: types[Number(rest.type)] as RouteType,
      scope: scopeOf(Number(rest.scope)),
      protocol: Number(rest.protocol),
      ...(oif === undefined ? {} : { oif }),
      ...(way === undefined ? {} : { gateway: way }),
      ...(prefsrc === undefined ? {} : { preferredSource: prefsrc }),
      ...(metric === undefined ? {} : { metric }),
      ...(rest.flags.includes("onlink") ? { onlink: true } : {}),
      ...(nexthops === undefined
        ? {}
        : {
            nextHops: nexthops.map((hop) => {
              const hopWay = hop.gateway ?? hop.via?.host;
              return {
                oif: indexOf(hop.dev) ?? 0,
                ...(hopWay === undefined ? {} : { gateway: hopWay }),
                weight: hop.weight ?? 0,
              };
            }),
          }),
      ...(nhid === undefined ? {} : { nextHopId: nhid }),
    };
  }

  beforeAll(async () => {
    namespace = new ScratchNetns();
    namespace.ip(`
      link set lo up
      link add e0 index 10 type veth peer name e1 index 11
      link set e0 up
      link set e1 up
      addr add 198.18.0.1/24 dev e0
      addr add 2001:2:0:1::1/64 dev e0 nodad
      nexthop add id 7 via 198.18.0.7 dev e0
      route add default via 198.18.0.254
      route add 198.18.0.11/32 dev e0 table 100
      route add 198.18.5.0/24 via inet6 2001:2:0:1::9 dev e0
      route add 198.18.6.0/24 nexthop via 198.18.0.2 dev e0 weight 3 nexthop via inet6 2001:2:0:1::9 dev e0
      route add 198.18.8.1 via 198.18.99.1 dev e0 onlink src 198.18.0.1
      route add 198.18.9.0/24 nhid 7
      route add blackhole 198.18.7.0/24 metric 7 table 70000
      route add throw 198.18.7.0/25 table 70000
      route add default via 2001:2:0:1::fe
      route add unreachable 2001:2:0:7::/64 table 70000
      route add 2001:2:0:8::/64 nexthop via 2001:2:0:1::9 dev e0 nexthop via 2001:2:0:1::8 dev e0 weight 5
      route add 2001:2:0:9::11/128 dev e0 table 100 metric 5
    `);
    await namespace.settled();
    lo = indexOf("lo") ?? 0;
    e0 = indexOf("e0") ?? 0;
  });

  afterAll(() => namespace[Symbol.dispose]());

  it("are what ip(8) lists, in all tables and both families", () => {
    const found = routes(namespace.fd);
    expect(found).toEqual(listed());
    expect(found.filter(({ nextHops }) => nextHops?.length === 2)).toHaveLength(2);
    expect(found).toContainEqual(expect.objectContaining({ dst: "::/0", gateway: "2001:2:0:1::fe", table: 254 }));
  });

  it("can be asked for by table and family", () => {
    for (const table of [100, 254, 255, 70000]) {
      expect(routes(namespace.fd, { table })).toEqual(listed(table));
    }
    const only = routes(namespace.fd, { table: 100, family: 6 });
    expect(only).toMatchObject([{ dst: "2001:2:0:9::11/128", oif: e0, metric: 5, family: 6 }]);
    expect(routes(namespace.fd, { family: 4 }).every(({ family }) => family === 4)).toBe(true);
  });

  it("can be asked for by whoever made them, in all tables or one", () => {
    // Of the kernel, and of ip(8): RTPROT_KERNEL and RTPROT_BOOT (include/uapi/linux/rtnetlink.h).
    for (const protocol of [2, 3]) {
      const made = listed().filter((route) => route.protocol === protocol);
      expect(made.length).toBeGreaterThan(0);
      expect(routes(namespace.fd, { protocol })).toEqual(made);
      const inMain = made.filter(({ table }) => table === 254);
      expect(routes(namespace.fd, { protocol, table: 254 })).toEqual(inMain);
    }
    expect(routes(namespace.fd, { protocol: 77 })).toEqual([]);
  });

  it("are none in a table that does not exist", () => {
    expect(routes(namespace.fd, { table: 4711 })).toEqual([]);
  });

  it.each(["0.0.0.0/0", "::/0"])("take a local default %s in a table of one's own, and give it up", (dst) => {
    const spec: RouteSpec = { dst, table: 4242, type: "local", oif: lo };
    const before = listed();
    addRoute(namespace.fd, spec);
    expect(listed(4242)).toMatchObject([{ dst, table: 4242, type: "local", oif: lo, protocol: 4 }]);
    expect(routes(namespace.fd, { table: 4242 })).toEqual(listed(4242));
    if (dst.startsWith("0")) expect(listed(4242)).toMatchObject([{ scope: "host" }]);

    const again = expect.objectContaining({ code: "EEXIST", errno: -17, syscall: "recvmsg RTM_NEWROUTE" });
    expect(() => addRoute(namespace.fd, spec)).toThrow(again);

    deleteRoute(namespace.fd, spec);
    expect(listed(4242)).toEqual([]);
    // The kernel may have added routes of its own meanwhile, on a busy machine: link-local ones come late.
    expect(listed()).toEqual(expect.arrayContaining(before));
    const gone = expect.objectContaining({ code: "ESRCH", errno: -3, syscall: "recvmsg RTM_DELROUTE" });
    expect(() => deleteRoute(namespace.fd, spec)).toThrow(gone);
  });

  it.each<RouteSpec>([
    { dst: "198.18.20.1", oif: 10, table: 300 },
    { dst: "198.18.21.0/24", gateway: "198.18.0.3", metric: 9, preferredSource: "198.18.0.1", protocol: 77 },
    { dst: "198.18.22.0/24", gateway: "2001:2:0:1::33", oif: 10 },
    { dst: "198.18.23.0/24", gateway: "198.18.77.1", oif: 10, onlink: true },
    { dst: "198.18.24.0/24", type: "blackhole", table: 2 ** 31 + 5 },
    { dst: "198.18.25.0/24", oif: 10, scope: "global" },
    { dst: "2001:2:0:20::1", oif: 10, table: 300 },
    { dst: "2001:2:0:21::/64", gateway: "2001:2:0:1::3", metric: 9 },
    { dst: "2001:2:0:22::/64", type: "prohibit", table: 70001 },
  ])("of the form %j are read back as they were given", (spec) => {
    addRoute(namespace.fd, spec);
    const { dst, ...rest } = spec;
    const { table = 254 } = spec;
    const matching = (list: Route[]) => list.filter((route) => route.dst.split("/")[0] === dst.split("/")[0]);
    const found = matching(routes(namespace.fd, { table }));
    expect(found).toEqual(matching(listed(table)));
    expect(found).toMatchObject([rest]);
    deleteRoute(namespace.fd, spec);
    expect(matching(routes(namespace.fd, { table }))).toEqual([]);
  });

  it("do not displace or join others to the same destination", () => {
    const table = 450;
    for (const [dst, other] of [
      ["198.18.31.0/24", { type: "blackhole" }],
      ["2001:2:0:31::/64", { oif: 11 }],
    ] as const) {
      addRoute(namespace.fd, { dst, table, oif: e0 });
      const taken = expect.objectContaining({ code: "EEXIST" });
      expect(() => addRoute(namespace.fd, { dst, table, ...other }), dst).toThrow(taken);
      expect(routes(namespace.fd, { table }).filter((route) => route.dst === dst)).toMatchObject([{ oif: e0 }]);
    }
  });

  it("get the scope that ip(8) gives them", () => {
    const kinds: RouteSpec[] = [
      { dst: "198.18.32.0/24", oif: e0 },
      { dst: "198.18.33.0/24", gateway: "198.18.0.9" },
      { dst: "198.18.34.1/32", type: "local", oif: lo },
      { dst: "198.18.35.0/32", type: "broadcast", oif: e0 },
      { dst: "198.18.36.0/24", type: "blackhole" },
    ];
    for (const spec of kinds) addRoute(namespace.fd, { ...spec, table: 500 });
    namespace.ip(`
      route add 198.18.32.0/24 dev e0 table 501 proto static
      route add 198.18.33.0/24 via 198.18.0.9 table 501 proto static
      route add local 198.18.34.1/32 dev lo table 501 proto static
      route add broadcast 198.18.35.0/32 dev e0 table 501 proto static
      route add blackhole 198.18.36.0/24 table 501 proto static
    `);
    const theirs = routes(namespace.fd, { table: 501 });
    expect(theirs.map(({ scope }) => scope)).toEqual(["link", "global", "host", "link", "global"]);
    expect(routes(namespace.fd, { table: 500 })).toEqual(theirs.map((route) => ({ ...route, table: 500 })));
  });

  it("stay when a route that differs is deleted", () => {
    const kept: RouteSpec = { dst: "198.18.30.0/24", oif: e0, table: 400, metric: 5 };
    addRoute(namespace.fd, kept);
    for (const other of [
      { ...kept, metric: 6 },
      { ...kept, table: 401 },
      { ...kept, oif: lo },
      { ...kept, type: "local" as const },
      { ...kept, protocol: 99 },
      { ...kept, dst: "198.18.30.0/25" },
    ]) {
      const gone = expect.objectContaining({ code: "ESRCH" });
      expect(() => deleteRoute(namespace.fd, other), JSON.stringify(other)).toThrow(gone);
    }
    expect(routes(namespace.fd, { table: 400 })).toHaveLength(1);
    deleteRoute(namespace.fd, kept);
  });

  it("are refused with the kernel's own words", () => {
    const spec: RouteSpec = { dst: "198.18.40.0/24", gateway: "198.18.99.9" };
    const message = `adding the unicast route 198.18.40.0/24 in table 254 in ${namespace.path}: recvmsg RTM_NEWROUTE failed with ENETUNREACH (Nexthop has invalid gateway)`;
    expect(() => addRoute(namespace.fd, spec)).toThrow(expect.objectContaining({ code: "ENETUNREACH", message }));
    const noLink: RouteSpec = { dst: "198.18.40.0/24", oif: 987_654 };
    expect(() => addRoute(namespace.fd, noLink)).toThrow(expect.objectContaining({ code: "ENODEV" }));
  });
});
