import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { judge } from "./fuzz/oracle.ts";
import { rowOf } from "./fuzz/rows.ts";
import { PLANTED_BUGS } from "./planted/bugs.ts";
import { Variant } from "./planted/variant.ts";
import { concat, ETHERTYPE, extension, ipFrame, isIpv6, PROTOCOL, tcpSegment, u8, zeros } from "./support/frames.ts";
import { buildTestPrograms, type MemoryShape } from "./support/raw-frames.ts";
import {
  CorpusNode,
  fateAsItIs,
  fateOfReceived,
  framesOf,
  gsoFrame,
  inVlan,
  NOTHING_FOUND,
} from "./support/veth-corpus.ts";

/* The fuzzer's frames over real devices, in every shape that a packet has in memory. */

const SEED = 4711;
const EACH = 10;

let node: CorpusNode;
beforeAll(buildTestPrograms);
beforeEach(() => {
  node = new CorpusNode();
});
afterEach(() => node[Symbol.asyncDispose]());

const fromMember = (of = node) => ({ netns: of.member.netns, name: "eth0" });
const toMember = (of = node) => ({ netns: of.mesh.node, name: of.member.hostName });
const received = (seed = SEED) => framesOf(seed, EACH, fateOfReceived);
const sent = (seed = SEED) => framesOf(seed, EACH, fateAsItIs);

describe.each(["linear", "paged"] as const)("%s frames", (shape) => {
  it("of a member become what the table says", async () => {
    expect(await node.send("app_outbound", fromMember(), shape, received())).toEqual(NOTHING_FOUND);
  });

  it("to a member become what the table says", async () => {
    expect(await node.send("app_inbound", toMember(), shape, sent())).toEqual(NOTHING_FOUND);
  });
});

it("frames that a tap receives in pieces become what the table says", async () => {
  node.mesh.addMemberTap("tap");
  const tap = { netns: node.mesh.node, name: "tap" };
  expect(await node.send("app_outbound", tap, "tap", received())).toEqual(NOTHING_FOUND);
});

describe.each([
  { name: "802.1Q", type: ETHERTYPE.vlan },
  { name: "802.1ad", type: ETHERTYPE.qinq },
])("frames in a VLAN by $name, whose tag the kernel keeps beside them", ({ type }) => {
  it("become what the table says on their way from a member", async () => {
    expect(await node.send("app_outbound", fromMember(), "linear", inVlan(sent(), type))).toEqual(NOTHING_FOUND);
  });

  it("become what the table says on their way to a member on a bridge", async () => {
    onBridge(node);
    const from = { netns: node.other.netns, name: "eth0" };
    expect(await node.send("app_inbound", from, "linear", inVlan(sent(), type))).toEqual(NOTHING_FOUND);
  });
});

/** The bridge floods what is for nobody it knows. */
function onBridge({ mesh, member, other }: CorpusNode): void {
  mesh.ip(
    mesh.node,
    "link add name bridge type bridge",
    "link set dev bridge up",
    `link set ${member.hostName} master bridge`,
    `link set ${other.hostName} master bridge`,
  );
}

/* Not behind a Fragment header or AH: the kernel takes no such frame from a socket (include/linux/virtio_net.h), and makes none. */
describe("large segments that are to be cut", () => {
  const IPV4 = {
    source: "198.18.8.10",
    destination: "198.18.9.9",
    sourcePort: 40000,
    destinationPort: 80,
    flags: 0x10,
  };
  const IPV6 = { ...IPV4, source: "2001:2:0:8::a", destination: "2001:2:0:9::9" };
  const BYTES = 20_000;
  const large = (ends: typeof IPV4) => tcpSegment({ ...ends, payload: zeros(BYTES) });
  const chained = (type: number, header: Uint8Array) =>
    ipFrame({ ...IPV6, protocol: type, payload: concat(header, large(IPV6)) });
  const frames = {
    IPv4: ipFrame({ ...IPV4, protocol: PROTOCOL.tcp, payload: large(IPV4) }),
    "IPv4 with options": ipFrame({
      ...IPV4,
      protocol: PROTOCOL.tcp,
      payload: large(IPV4),
      options: u8(1, 1, 1, 1, 1, 1, 1, 1),
    }),
    IPv6: ipFrame({ ...IPV6, protocol: PROTOCOL.tcp, payload: large(IPV6) }),
    "IPv6 with hop-by-hop options": chained(PROTOCOL.hopByHop, extension(PROTOCOL.tcp)),
    "IPv6 with a routing header": chained(PROTOCOL.routing, extension(PROTOCOL.tcp, 2)),
    "IPv6 with destination options": chained(PROTOCOL.destinationOptions, extension(PROTOCOL.tcp, 3)),
  };

  it.each(Object.entries(frames))("%s", async (_, frame) => {
    const { row, offset } = judge(frame);
    const { fate } = rowOf(row);
    expect(fate).toBe("captured");
    // How much of it lies in the head: the Ethernet header alone, somewhere in the headers, all of them.
    const heads = [14, 30, offset, offset + 20];
    const all = heads.map((head) => ({ bytes: gsoFrame(frame, offset, head), row, fate }));
    expect(await node.send("app_outbound", fromMember(), "gso", all)).toEqual(NOTHING_FOUND);
    expect(await node.send("app_inbound", toMember(), "gso", all)).toEqual(NOTHING_FOUND);
  });

  it.each([IPV4, IPV6])("that are whole packets of a larger MTU, from $source", async (ends) => {
    const { mesh, member } = node;
    mesh.ip(mesh.node, `link set ${member.hostName} mtu 9000`);
    mesh.ip(member.netns, "link set eth0 mtu 9000");
    const payload = tcpSegment({ ...ends, payload: zeros(8000) });
    const options = isIpv6(ends.source) ? {} : { options: u8(1, 1, 1, 1) };
    const bytes = ipFrame({ ...ends, protocol: PROTOCOL.tcp, payload, ...options });
    const all = [{ bytes, ...fateAsItIs(bytes) }];
    expect(await node.send("app_outbound", fromMember(), "linear", all)).toEqual(NOTHING_FOUND);
    expect(await node.send("app_inbound", toMember(), "linear", all)).toEqual(NOTHING_FOUND);
  });
});

describe("planted bugs", () => {
  const bug = (name: string) => {
    const planted = PLANTED_BUGS.find((each) => each.name === name);
    if (!planted) throw new Error(`there is no planted bug ${name}`);
    return new Variant([planted.change]);
  };

  it.each(PLANTED_BUGS.filter(({ foundBy }) => foundBy === "real"))(
    "finds: $name",
    async ({ name }) => {
      using variant = bug(name);
      await using buggy = new CorpusNode(variant.objects);
      const shape: MemoryShape = name === "no pull" ? "paged" : "linear";
      const frames = name === "no pull" ? sent() : inVlan(sent(), ETHERTYPE.vlan);
      const { escaped } = await buggy.send("app_outbound", fromMember(buggy), shape, frames);
      expect(escaped).toBeGreaterThan(0);
    },
    300_000,
  );
});
