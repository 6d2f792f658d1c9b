import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Pod, until } from "./support/box.ts";
import type { Verdicts } from "./support/datapath.ts";
import {
  concat,
  ETHERTYPE,
  ethernet,
  extension,
  ip,
  ipFrame,
  MAC_INBOUND,
  PROTOCOL,
  tcpFrame,
  tcpSegment,
  u8,
  u16,
  zeros,
} from "./support/frames.ts";
import { DIRECTION } from "./support/layout.ts";
import { Mesh } from "./support/mesh.ts";
import { listenAsProxy } from "./support/programs.ts";
import { buildTestPrograms, sendFrames } from "./support/raw-frames.ts";

/* What BPF_PROG_TEST_RUN cannot make: tags of VLAN offload, packets in pages, frames too short for their type, foreign MACs. */

let mesh: Mesh;
let member: Pod;
let plain: Pod;
let proxy: Pod;

beforeAll(buildTestPrograms);
beforeEach(async () => {
  mesh = new Mesh();
  proxy = mesh.addProxy("z", 0);
  member = mesh.addMember("m");
  plain = mesh.addPod("p");
  mesh.datapath.settings({ active: 1 });
  await listenAsProxy(mesh, proxy.netns);
});
afterEach(() => mesh[Symbol.asyncDispose]());

describe.each([
  { family: "IPv4", of: (pod: Pod) => pod.ipv4, ethertype: ETHERTYPE.ipv4 },
  { family: "IPv6", of: (pod: Pod) => pod.ipv6, ethertype: ETHERTYPE.ipv6 },
])("$family frames of a member", ({ family, of, ethertype }) => {
  const ends = () => ({ source: of(member), destination: of(plain), sourcePort: 40000, destinationPort: 80 });
  const syn = () => ip({ ...ends(), protocol: PROTOCOL.tcp, payload: tcpSegment(ends()) });
  const udp = () => ip({ ...ends(), protocol: PROTOCOL.udp, payload: concat(u16(1), u16(9), u16(8), u16(0)) });
  const tagged = (type: number, id: number, inner: number, payload: Uint8Array) =>
    ethernet(type, concat(u16(id), u16(inner), payload), { to: hostMac, from: member.mac });
  let hostMac = "";
  beforeEach(() => {
    hostMac = mesh.macOf(member);
  });

  /** Sends one frame; its verdicts come, and no others but "passed", which ARP and neighbour discovery get too. */
  async function expectOf(frame: Uint8Array, expected: Verdicts, shape: "linear" | "paged" = "linear"): Promise<void> {
    const before = mesh.datapath.verdicts();
    const names = Object.keys(expected) as (keyof Verdicts)[];
    sendFrames(member.netns, "eth0", shape, frame);
    await until(names.join(" and "), () => names.every((name) => mesh.datapath.since(before)[name]));
    const { "app_outbound.dropped_unparsable": dropped, "app_outbound.captured": captured } =
      mesh.datapath.since(before);
    expect(dropped).toBe(expected["app_outbound.dropped_unparsable"]);
    if (!expected["app_outbound.captured"]) expect(captured).toBeUndefined();
  }

  /** The proxy's stack takes the SYN: its address, length and checksum are right, and it has no tag. */
  const accepted = { "app_outbound.captured": 1, "ztunnel_tproxy.captured": 1, "ztunnel_lookup.captured": 1 };
  const passed = { "app_outbound.passed": 1 };
  const dropped = { "app_outbound.dropped_unparsable": 1 };

  it("are captured with a priority tag, which is taken off", async () => {
    await expectOf(tagged(ETHERTYPE.vlan, 0x6000, ethertype, syn()), accepted);
    await expectOf(tagged(ETHERTYPE.vlan, 0, ethertype, syn()), accepted);
    await expectOf(tagged(ETHERTYPE.vlan, 0x6000, ethertype, udp()), passed);

    const capture = mesh.start(proxy.netns, "tcpdump", "-i", "eth0", "-nec", "1", "tcp dst port 80 or vlan");
    await until("the capture", () => capture.stderr.includes("listening"));
    await expectOf(tagged(ETHERTYPE.vlan, 0x6000, ethertype, syn()), accepted);
    await until("the captured frame", () => !capture.running);
    const { stdout } = await capture.ended();
    expect(stdout).toMatch(/80.*Flags \[S\]/);
    expect(stdout).not.toContain("vlan");
  });

  it("are dropped in a VLAN if they are TCP", async () => {
    await expectOf(tagged(ETHERTYPE.vlan, 5, ethertype, syn()), dropped);
    await expectOf(tagged(ETHERTYPE.qinq, 5, ethertype, syn()), dropped);
    await expectOf(tagged(ETHERTYPE.vlan, 5, ethertype, udp()), passed);
  });

  it("are dropped in two tags", async () => {
    const inner = concat(u16(0), u16(ethertype), syn());
    await expectOf(tagged(ETHERTYPE.vlan, 0, ETHERTYPE.vlan, inner), dropped);
    await expectOf(tagged(ETHERTYPE.qinq, 0, ETHERTYPE.vlan, inner), dropped);
  });

  it("are captured wherever they lie in memory", async () => {
    const frame = tcpFrame(ends(), { to: hostMac, from: member.mac });
    await expectOf(frame, accepted, "paged");
    const withOptions = ethernet(
      ethertype,
      ip({ ...ends(), protocol: PROTOCOL.tcp, payload: tcpSegment({ ...ends(), options: u8(1, 1, 1, 0) }) }),
      {
        to: hostMac,
        from: member.mac,
      },
    );
    await expectOf(withOptions, accepted, "paged");
    const cut = ipFrame({ ...ends(), protocol: PROTOCOL.tcp, payload: zeros(10) }, { to: hostMac });
    await expectOf(cut, dropped, "paged");
    await expectOf(ethernet(ethertype, udp(), { to: hostMac }), passed, "paged");
  });

  it("are captured behind IP options or extension headers", async () => {
    const segment = tcpSegment(ends());
    // PadN over the whole option area (RFC 8200 section 4.2); in IPv4 no-operations (RFC 791 section 3.1).
    const padded = Uint8Array.from(extension(PROTOCOL.tcp));
    padded.set(u8(1, 4), 2);
    const packet =
      family === "IPv6"
        ? { ...ends(), protocol: PROTOCOL.destinationOptions, payload: concat(padded, segment) }
        : { ...ends(), protocol: PROTOCOL.tcp, payload: segment, options: u8(1, 1, 1, 1) };
    for (const shape of ["linear", "paged"] as const) {
      await expectOf(ipFrame(packet, { to: hostMac, from: member.mac }), accepted, shape);
    }
  });

  it("are dropped when they end within the IP header", async () => {
    for (const bytes of [0, 1, 10, 19]) {
      const frame = ethernet(ethertype, syn().subarray(0, bytes), { to: hostMac });
      await expectOf(frame, dropped);
    }
  });

  it("are captured when they are addressed to another MAC, as on a bridge", async () => {
    const frame = tcpFrame(ends(), { to: "02:00:00:00:99:99", from: member.mac });
    await expectOf(frame, accepted);
  });

  it("may not pass for redirected ones by their source MAC", async () => {
    const frame = tcpFrame(ends(), { to: hostMac, from: MAC_INBOUND });
    await expectOf(frame, accepted);
    const seen = [...(mesh.datapath.proxies[0]?.map("flows").entries() ?? [])].map(([, direction]) => direction[0]);
    expect(seen).toEqual([DIRECTION.outbound]);
  });
});
