import { readdirSync, readlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { link, type Packet, PacketSocket } from "./index.ts";
import { ScratchNetns, until } from "./testing/scratch-netns.ts";

/** BPF_RET | BPF_K: takes so many bytes of every packet. */
function takes(length: number): Uint8Array {
  const program = new DataView(new ArrayBuffer(8));
  program.setUint16(0, 0x06, true);
  program.setUint32(4, length, true);
  return new Uint8Array(program.buffer);
}

const typeOf = ({ bytes }: Packet) => Buffer.from(bytes).readUInt16BE(12);

describe("PacketSocket", () => {
  let scratch: ScratchNetns;
  const indexOf = (name: string) => link(scratch.fd, name)?.index;

  beforeAll(() => {
    scratch = new ScratchNetns();
    scratch.ip(`
      link set lo up
      link add e0 type veth peer name e1
      addr add 198.18.5.1/24 dev e0
      link set e0 up
      link set e1 up`);
  });

  afterAll(() => scratch[Symbol.dispose]());

  const open = (snapLength = 65_536, filter = takes(snapLength), receiveBufferBytes = 1 << 20) =>
    PacketSocket.open({ netns: scratch.fd, filter, snapLength, receiveBufferBytes });

  /** Asks for an address that nobody has: ARP goes out. */
  const askFor = (address: string) => scratch.sh(`ping -c 1 -W 1 ${address} > /dev/null || true`);

  async function seen(socket: PacketSocket, wanted: (packet: Packet) => boolean): Promise<Packet[]> {
    const packets: Packet[] = [];
    await until("the packets are there", () => {
      packets.push(...socket.read());
      return packets.filter(wanted).length >= 2;
    });
    return packets.filter(wanted);
  }

  it("tells what each interface sends and receives, and when", async () => {
    using socket = open();
    const before = BigInt(Date.now()) * 1_000_000n;
    askFor("198.18.5.9");
    const [sent, received] = await seen(socket, (packet) => typeOf(packet) === 0x0806);
    expect(sent).toMatchObject({ ifindex: indexOf("e0"), linkType: 1, path: "out", length: 42 });
    expect(received).toMatchObject({ ifindex: indexOf("e1"), linkType: 1, path: "broadcast", length: 42 });
    expect(received?.bytes).toEqual(sent?.bytes);
    expect(sent?.bytes).toHaveLength(42);
    for (const { atNs } of [sent, received] as Packet[]) {
      expect(atNs).toBeGreaterThan(before - 1_000_000n);
      expect(atNs).toBeLessThan(BigInt(Date.now() + 1) * 1_000_000n);
    }
  });

  it("puts a tag that the kernel took off what it received where it was on the wire", async () => {
    using socket = open();
    const mac = "\\377\\377\\377\\377\\377\\377";
    scratch.sh(`printf '${mac}${mac}\\201\\000\\240\\005\\210\\265%028d' 0 | socat -u STDIN INTERFACE:e0`);
    const frame = Buffer.from(`${"ff".repeat(12)}8100a00588b5${"30".repeat(28)}`, "hex");
    const [sent, received] = await seen(socket, (packet) => typeOf(packet) === 0x8100);
    expect(sent).toMatchObject({ ifindex: indexOf("e0"), path: "out", length: frame.length });
    expect(received).toMatchObject({ ifindex: indexOf("e1"), path: "broadcast", length: frame.length });
    for (const packet of [sent, received]) expect(Buffer.from(packet?.bytes ?? [])).toEqual(frame);
  });

  it("keeps no more of a packet than it is told, and says how long it was", async () => {
    const large = (packet: Packet) => packet.length === 14 + 20 + 8 + 500;
    for (const filter of [takes(65_536), takes(64)]) {
      using socket = open(64, filter);
      scratch.sh("ping -c 1 -s 500 198.18.5.1 > /dev/null");
      expect((await seen(socket, large)).map(({ bytes }) => bytes.length)).toContain(64);
    }
  });

  it("tells nothing that its filter does not take", () => {
    using socket = open(65_536, takes(0));
    scratch.sh("ping -c 2 -i 0.01 198.18.5.1 > /dev/null");
    expect([socket.read(), socket.drops()]).toEqual([[], 0]);
  });

  it("counts what found no room, once", () => {
    using socket = open(65_536, takes(65_536), 2_304);
    scratch.sh("ping -c 50 -i 0.002 -s 1000 198.18.5.1 > /dev/null");
    expect(socket.drops()).toBeGreaterThan(0);
    expect(socket.drops()).toBe(0);
  });

  it("refuses what is no filter or no length, and nothing works once it is closed", () => {
    const home = readlinkSync("/proc/thread-self/ns/net");
    const descriptors = () => readdirSync("/proc/self/fd").length;
    const before = descriptors();
    expect(() => open(63)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    expect(() => open(262_145)).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    expect(() => open(64, new Uint8Array(7))).toThrow(expect.objectContaining({ code: "ERR_INVALID_ARGUMENT" }));
    const refused = { code: "EINVAL", syscall: "setsockopt SO_ATTACH_FILTER" };
    expect(() => open(64, new Uint8Array(8).fill(0xff))).toThrow(expect.objectContaining(refused));
    const socket = open();
    socket[Symbol.dispose]();
    socket[Symbol.dispose]();
    expect(() => socket.read()).toThrow(expect.objectContaining({ code: "EBADF" }));
    expect(() => socket.drops()).toThrow(expect.objectContaining({ code: "EBADF" }));
    expect(descriptors()).toBe(before);
    expect(readlinkSync("/proc/thread-self/ns/net")).toBe(home);
  });
});
