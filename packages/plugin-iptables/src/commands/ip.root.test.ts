import { neighbours, rules } from "linux-ts";
import { ScratchNetns } from "linux-ts/testing";
import { expect, test } from "vitest";
import { ipBatch, ipLinks, ipRoutes } from "./ip.ts";

test("links, with what a tunnel is made of", async () => {
  using there = new ScratchNetns();
  await ipBatch(
    4,
    "link add tun4 type vxlan id 1001 remote 198.18.0.1 dstport 6082\nlink add v0 type veth peer name v1",
    {
      netns: there.fd,
    },
  );
  await ipBatch(
    6,
    "link add tun6 type vxlan id 1002 remote 2001:2::1 dstport 6083\nlink add flow type vxlan external dstport 6084",
    {
      netns: there.fd,
    },
  );
  const kinds = (await ipLinks({ netns: there.fd })).map(({ ifname, linkinfo }) => [ifname, linkinfo]);
  expect(Object.fromEntries(kinds)).toEqual({
    lo: undefined,
    tun4: { info_kind: "vxlan", info_data: { id: 1001, remote: "198.18.0.1", port: 6082 } },
    tun6: { info_kind: "vxlan", info_data: { id: 1002, remote6: "2001:2::1", port: 6083 } },
    flow: { info_kind: "vxlan", info_data: { id: 0, external: true, port: 6084 } },
    v0: { info_kind: "veth" },
    v1: { info_kind: "veth" },
  });
});

test.each([4, 6] as const)("IPv%i: rules, routes and neighbours in numbers", async (family) => {
  using there = new ScratchNetns();
  const [host, gateway, prefix] = family === 4 ? ["198.18.0.1", "198.18.0.2", 32] : ["2001:2::1", "2001:2::2", 128];
  const at = { netns: there.fd };
  await ipBatch(
    family,
    `link set lo up
     link add v0 type veth peer name v1
     link set v0 up
     link set v1 up
     rule add pref 60 iif lo goto 75 protocol 77
     rule add pref 61 fwmark 0x1/0x7f table 15100 protocol 77
     rule add pref 62 fwmark 0/0x7f ipproto tcp table 15101 protocol 77
     rule add pref 75 nop protocol 77
     route add ${host}/${prefix} dev v0 table 15100 proto 77
     route add default via ${gateway} dev v0 onlink table 15100 proto 77
     route add blackhole default metric 4096 table 15100 proto 77
     neigh replace ${gateway} lladdr 02:00:00:00:00:01 dev v0 nud permanent`,
    at,
  );
  expect(rules(there.fd, family).filter(({ protocol }) => protocol === 77)).toMatchObject([
    { priority: 60, iif: "lo", action: "goto", goto: 75 },
    { priority: 61, fwmark: 1, fwmask: 0x7f, table: 15100 },
    { priority: 62, fwmark: 0, fwmask: 0x7f, ipProtocol: 6, table: 15101 },
    { priority: 75, action: "nop" },
  ]);
  const routes = await ipRoutes(family, 15100, at);
  expect(routes).toHaveLength(3);
  expect(routes).toContainEqual(expect.objectContaining({ dst: host, dev: "v0", protocol: "77" }));
  expect(routes).toContainEqual(expect.objectContaining({ dst: "default", gateway, flags: ["onlink"] }));
  expect(routes).toContainEqual(expect.objectContaining({ dst: "default", type: "6", metric: 4096 }));
  const everywhere = await ipRoutes(family, "all", at);
  expect(everywhere.filter(({ table }) => table === "15100")).toHaveLength(3);
  expect(neighbours(there.fd)).toContainEqual(
    expect.objectContaining({ address: gateway, mac: "02:00:00:00:00:01", state: "permanent" }),
  );
});

test.each([4, 6] as const)("IPv%i: a table that nobody made has no routes", async (family) => {
  using there = new ScratchNetns();
  expect(await ipRoutes(family, 15100, { netns: there.fd })).toEqual([]);
});

test("a batch ends at the line that is refused and tells it; with force it goes on and fails all the same", async () => {
  using there = new ScratchNetns();
  const lines = ["rule add pref 60 table 1", "rule add pref 60 table 1", "rule add pref 61 table 1"];
  const refused = { code: "ERR_COMMAND_FAILED", line: lines[1], stderr: expect.stringContaining("File exists") };
  const priorities = () => rules(there.fd, 4).map(({ priority }) => priority);
  await expect(ipBatch(4, lines.join("\n"), { netns: there.fd })).rejects.toMatchObject(refused);
  expect(priorities()).toEqual([0, 60, 32766, 32767]);
  await expect(ipBatch(4, lines.join("\n"), { netns: there.fd, force: true })).rejects.toMatchObject({
    ...refused,
    line: lines[0],
  });
  expect(priorities()).toEqual([0, 60, 61, 32766, 32767]);
});
