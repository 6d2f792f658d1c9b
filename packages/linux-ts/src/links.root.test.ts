import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Link, link, linkAsync, links, openNetns, setLinkUp } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

interface IpLink {
  ifindex: number;
  ifname: string;
  flags: string[];
  mtu: number;
  address?: string;
  link?: string | null;
  link_index?: number;
  link_netnsid?: number;
  master?: string;
  linkinfo?: {
    info_kind?: string;
    info_data?: { id?: number; remote?: string; remote6?: string; group?: string; port?: number; external?: boolean };
  };
}

/** `ip -d -j link` in our shape. It names a link's peer where it can, and gives the index where it cannot. */
function fromIp(list: IpLink[]): Link[] {
  const indexOf = (name: string) => list.find(({ ifname }) => ifname === name)?.ifindex;
  return list.map((each) => {
    const kind = each.linkinfo?.info_kind;
    const peerIndex = each.link_index ?? (each.link ? indexOf(each.link) : undefined);
    const master = each.master === undefined ? undefined : indexOf(each.master);
    return {
      index: each.ifindex,
      name: each.ifname,
      ...(kind === undefined ? {} : { kind }),
      mac: each.address ?? "",
      mtu: each.mtu,
      up: each.flags.includes("UP"),
      ...(peerIndex === undefined ? {} : { peerIndex }),
      ...(each.link_netnsid === undefined ? {} : { peerNetnsId: each.link_netnsid }),
      ...(master === undefined ? {} : { master }),
      ...tunnelFromIp(each),
    };
  });
}

function tunnelFromIp({ linkinfo }: IpLink): Pick<Link, "tunnel"> {
  if (linkinfo?.info_kind !== "vxlan" && linkinfo?.info_kind !== "geneve") return {};
  const { id = 0, port = 0, external = false, ...data } = linkinfo.info_data ?? {};
  const remote = data.remote ?? data.remote6 ?? data.group;
  return {
    tunnel: { vni: id, port, ...(remote === undefined ? {} : { remote }), ...(external ? { external: true } : {}) },
  };
}

describe("links", () => {
  let near: ScratchNetns;
  let far: ScratchNetns;

  beforeAll(() => {
    near = new ScratchNetns();
    far = new ScratchNetns();
    near.ip(`
      link add away type veth peer name home netns ${far.name}
      link add here type veth peer name there
      link add br0 type bridge
      link set here master br0 mtu 1400 up
      link set there address 02:00:00:00:0a:ff
      link set away up
      link add link away name mv0 type macvlan mode bridge
      tuntap add dev tn0 mode tun
      link add fifteen-letters type veth peer name dots.in.name
    `);
  });

  afterAll(() => {
    near[Symbol.dispose]();
    far[Symbol.dispose]();
  });

  it("are what ip(8) lists, on both sides of a veth pair", () => {
    for (const namespace of [near, far]) {
      const expected = fromIp(namespace.ipJson<IpLink[]>("-d link")).sort((a, b) => a.index - b.index);
      expect(links(namespace.fd)).toEqual(expected);
    }
  });

  it("show each kind of thing that the test set up", () => {
    const byName = new Map(links(near.fd).map((each) => [each.name, each]));
    const home = links(far.fd).find(({ name }) => name === "home");
    expect(byName.get("lo")).not.toHaveProperty("kind");
    expect(byName.get("away")).toMatchObject({ kind: "veth", peerIndex: home?.index, peerNetnsId: 0, up: true });
    expect(byName.get("here")).toMatchObject({ master: byName.get("br0")?.index, mtu: 1400 });
    expect(byName.get("here")).not.toHaveProperty("peerNetnsId");
    expect(byName.get("there")).toMatchObject({ mac: "02:00:00:00:0a:ff", up: false });
    expect(byName.get("mv0")).toMatchObject({ kind: "macvlan", peerIndex: byName.get("away")?.index });
    expect(byName.get("tn0")).toMatchObject({ kind: "tun", mac: "" });
  });

  it.each(["vxlan", "geneve"])("of the kind %s tell where they lead, as ip(8) does", (kind) => {
    using there = new ScratchNetns();
    const add = (name: string, more: string) => there.sh(`ip link add ${name} type ${kind} ${more}`);
    const first = outcomeOf(() => add("four", "id 5 remote 198.18.0.1 dstport 6082"));
    // A kernel without this kind of device says so, and has none to list.
    if (first !== undefined) {
      expect(`${kind}: ${first}`).toMatch(/^geneve: .*Unknown device type/s);
      return;
    }
    add("six", "id 6 remote 2001:2::1 dstport 6083");
    add("any", "external dstport 6084");
    const expected = fromIp(there.ipJson<IpLink[]>("-d link"));
    expect(links(there.fd)).toEqual(expected);
    expect(link(there.fd, "six")?.tunnel).toEqual({ vni: 6, port: 6083, remote: "2001:2::1" });
    expect(link(there.fd, "any")?.tunnel).toMatchObject({ port: 6084, external: true });
    there.sh(`ip link set four type ${kind} id 5 remote 198.18.0.2`);
    expect(link(there.fd, "four")?.tunnel).toEqual({ vni: 5, port: 6082, remote: "198.18.0.2" });
  });

  it("can be asked for by name and by index", () => {
    for (const each of links(near.fd)) {
      expect(link(near.fd, each.name)).toEqual(each);
      expect(link(near.fd, each.index)).toEqual(each);
    }
    expect(link(near.fd, "nothere")).toBeUndefined();
    expect(link(near.fd, 999_999)).toBeUndefined();
  });

  it("can be asked for on another thread, all at once, in namespaces that are closed meanwhile", async () => {
    const [nearLinks, farLinks] = [links(near.fd), links(far.fd)];
    const netns = openNetns(near.path);
    const asked = [...nearLinks.map(({ index }) => linkAsync(netns.fd, index)), linkAsync(netns.fd, "nothere")];
    netns[Symbol.dispose]();
    const others = farLinks.map(({ name }) => linkAsync(far.fd, name));
    expect(await Promise.all(asked)).toEqual([...nearLinks, undefined]);
    expect(await Promise.all(others)).toEqual(farLinks);
    expect(await linkAsync(undefined, "lo")).toEqual(link(undefined, "lo"));
    await expect(linkAsync(1_000_000, "lo")).rejects.toMatchObject({ name: "LinuxError", code: "EBADF" });
  });

  it.each([0, -1, Number.NaN, "", "sixteen-letters!", "a/b", "a b"])("refuse %j as a name or index", async (wrong) => {
    const refused = expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" });
    expect(() => link(near.fd, wrong)).toThrow(refused);
    await expect(linkAsync(near.fd, wrong)).rejects.toEqual(refused);
  });

  it("are those of the thread's own namespace without a descriptor", () => {
    const names = links().map(({ name }) => name);
    expect(names).toContain("lo");
    expect(names).not.toContain("fifteen-letters");
  });

  it("are complete when they fill many messages", () => {
    using crowded = new ScratchNetns();
    crowded.ip(Array.from({ length: 150 }, (_, i) => `link add a${i} type veth peer name b${i}`).join("\n"));
    const all = links(crowded.fd);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    expect(all.filter(({ kind }) => kind === "veth")).toHaveLength(300);
  });

  it("are set up by index, and stay up", () => {
    const isUp = () => link(far.fd, "home")?.up;
    const index = link(far.fd, "home")?.index ?? 0;
    expect(isUp()).toBe(false);
    setLinkUp(far.fd, index);
    setLinkUp(far.fd, index);
    expect(isUp()).toBe(true);
    expect(near.ipJson<IpLink[]>("link show away")[0]?.flags).toContain("LOWER_UP");
    const none = { code: "ENODEV", message: expect.stringContaining("setting link 987654 up") };
    expect(() => setLinkUp(far.fd, 987_654)).toThrow(expect.objectContaining(none));
  });
});

/** What a command said that failed; undefined for one that did not. */
function outcomeOf(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
