import { createHash } from "node:crypto";
import type { Netns } from "linux-ts";
import { writeSysctl } from "linux-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Pod, untilListening } from "./support/box.ts";
import { Mesh } from "./support/mesh.ts";
import { must } from "./support/process.ts";
import { startHaproxy } from "./support/programs.ts";

/* Large transfers through a real proxy: segmentation offload, and routes of a smaller MTU. */

const LINE = "millrace\n";
const digest = (bytes: number) =>
  createHash("sha256")
    .update(LINE.repeat(Math.ceil(bytes / LINE.length)).slice(0, bytes))
    .digest("hex");

let mesh: Mesh;
let member: Pod;
let proxy: Pod;

beforeEach(async () => {
  mesh = new Mesh();
  proxy = mesh.addProxy("z", 0);
  member = mesh.addMember("m");
  mesh.datapath.settings({ active: 1 });
  await startHaproxy(mesh, proxy.netns);
});
afterEach(() => mesh[Symbol.asyncDispose]());

const families = [
  { family: "IPv4", v6: false, of: (pod: { ipv4: string; ipv6: string }) => pod.ipv4 },
  { family: "IPv6", v6: true, of: (pod: { ipv4: string; ipv6: string }) => pod.ipv6 },
];

describe.each(families)("$family", ({ v6, of }) => {
  const tcp = v6 ? "TCP6" : "TCP4";

  /** Sends so many bytes from one namespace to another, and checks them there. */
  async function transfer(from: Netns, to: Netns, address: string, port: number, bytes: number): Promise<void> {
    const server = mesh.start(to, "sh", "-c", `socat -u ${tcp}-LISTEN:${port},reuseaddr STDOUT | sha256sum`);
    await untilListening(to, port, v6 ? 6 : 4);
    const target = `${tcp}:${v6 ? `[${address}]` : address}:${port}`;
    await must(from, "sh", "-c", `yes millrace | head -c ${bytes} | timeout 15 socat -u STDIN ${target}`);
    expect((await server.ended()).stdout.split(" ")[0]).toBe(digest(bytes));
  }

  it("passes large segments untouched, both ways", async () => {
    const plain = mesh.addPod("p");
    const bytes = 20_000_000;
    const outbound = await mesh.datapath.verdictsOf(() => transfer(member.netns, plain.netns, of(plain), 7001, bytes));
    expect(outbound["app_outbound.captured"]).toBeLessThan(bytes / 1448 / 2);
    const inbound = await mesh.datapath.verdictsOf(() => transfer(plain.netns, member.netns, of(member), 7002, bytes));
    expect(inbound["app_inbound.captured"]).toBeLessThan(bytes / 1448 / 2);
    expect(inbound["ztunnel_host_in.delivered"]).toBeLessThan(bytes / 1448 / 2);
  });

  it("tells the proxy of a smaller MTU on the way, and the member as well", async () => {
    const external = addNarrowRoute();
    const bytes = 300_000;
    const upload = await mesh.datapath.verdictsOf(() =>
      transfer(member.netns, external.netns, of(external), 7001, bytes),
    );
    expect(upload["app_inbound.copied"]).toBeGreaterThan(0);
    const name = v6 ? "Icmp6InPktTooBigs" : "IcmpInDestUnreachs";
    const before = Number((await must(member.netns, "nstat", "-asz", name)).match(/(\d+)\s+[\d.]+$/m)?.[1]);
    expect(before).toBeGreaterThan(0);
  });

  it("tells the proxy that answers for a member, too", async () => {
    const external = addNarrowRoute();
    const server = mesh.start(
      member.netns,
      "sh",
      "-c",
      `yes millrace | head -c 300000 | socat -u STDIN ${tcp}-LISTEN:7002,reuseaddr`,
    );
    await untilListening(member.netns, 7002, v6 ? 6 : 4);
    const download = await mesh.datapath.verdictsOf(async () => {
      const source = `${tcp}:${v6 ? `[${of(member)}]` : of(member)}:7002`;
      const output = await must(external.netns, "sh", "-c", `timeout 15 socat -u ${source} STDOUT | sha256sum`);
      expect(output.split(" ")[0]).toBe(digest(300_000));
    });
    expect(download["app_inbound.copied"]).toBeGreaterThan(0);
    expect((await server.ended()).code).toBe(0);
  });

  /** A host behind a router whose way to it takes 1300 bytes; only the router knows. */
  function addNarrowRoute() {
    const router = mesh.addNetns("r");
    const external = { netns: mesh.addNetns("x"), ipv4: "198.19.1.2", ipv6: "2001:2:0:fe::2" };
    writeSysctl(router.fd, "net/ipv4/ip_forward", 1);
    writeSysctl(router.fd, "net/ipv6/conf/all/forwarding", 1);
    mesh.ip(
      mesh.node,
      `link add uplink type veth peer name to-node netns ${nameOf(router)}`,
      "addr add 198.19.0.1/24 dev uplink",
      "addr add 2001:2:0:ff::1/64 dev uplink nodad",
      "link set uplink up",
    );
    mesh.ip(
      router,
      "addr add 198.19.0.2/24 dev to-node",
      "addr add 2001:2:0:ff::2/64 dev to-node nodad",
      "link set to-node up",
      `link add narrow type veth peer name eth0 netns ${nameOf(external.netns)}`,
      "addr add 198.19.1.1/24 dev narrow",
      "addr add 2001:2:0:fe::1/64 dev narrow nodad",
      "link set narrow mtu 1300 up",
      "route add default via 198.19.0.1",
      "route add default via 2001:2:0:ff::1",
    );
    mesh.ip(
      external.netns,
      "addr add 198.19.1.2/24 dev eth0",
      "addr add 2001:2:0:fe::2/64 dev eth0 nodad",
      "link set eth0 up",
      "route add default via 198.19.1.1",
      "route add default via 2001:2:0:fe::1",
    );
    mesh.ip(mesh.node, "route add 198.19.1.0/24 via 198.19.0.2", "route add 2001:2:0:fe::/64 via 2001:2:0:ff::2");
    return external;
  }
});

function nameOf(netns: Netns): string {
  return netns.path.slice("/run/netns/".length);
}
