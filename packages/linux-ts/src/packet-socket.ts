import { closeSync } from "node:fs";
import { littleEndian, viewOf } from "./attributes.ts";
import { calling, LinuxError } from "./errors.ts";
import { native } from "./native.ts";
import { type NetnsFd, whereIs } from "./netns.ts";
import { insertTag, type VlanTag } from "./vlan-tag.ts";

/** `out`: the namespace sends it; every other is received, by whom its link-layer address names (packet(7), sll_pkttype). */
export type PacketPath = "unicast" | "broadcast" | "multicast" | "other host" | "out";

/** A packet as an interface sends or receives it. */
export interface Packet {
  /** Nanoseconds since 1970, by the kernel's wall clock when the packet was there. */
  readonly atNs: bigint;
  readonly ifindex: number;
  /** ARPHRD_* (include/uapi/linux/if_arp.h): 1 is Ethernet. */
  readonly linkType: number;
  readonly path: PacketPath;
  /** Its length; what `bytes` lacks of it was cut off. */
  readonly length: number;
  /** From the link-layer header on, where the interface has one; a VLAN tag is where it is on the wire. */
  readonly bytes: Uint8Array;
}

export interface PacketSocketOptions {
  readonly netns?: NetnsFd;
  /**
   * A classic BPF program (struct sock_filter, eight bytes an instruction, in the machine's byte order): how many bytes of a packet are kept.
   * Everything else costs no more than this program.
   */
  readonly filter: Uint8Array;
  /** Most bytes of a packet that are kept, whatever the filter says: {@link MIN_SNAP_LENGTH} to {@link MAX_SNAP_LENGTH}. */
  readonly snapLength: number;
  /** What the kernel keeps until it is read, in bytes; some hundred are needed for the smallest packet. */
  readonly receiveBufferBytes: number;
}

/** All of a link-layer header, to say the least. */
export const MIN_SNAP_LENGTH = 64;
/** More than any packet of a device has (tcpdump's limit as well). */
export const MAX_SNAP_LENGTH = 262_144;
/** One reading has room for at least these. */
const BATCH_BYTES = 1 << 20;
/** struct packet_record of addon/packet.c. */
const RECORD_BYTES = 32;
const PATHS: readonly (PacketPath | undefined)[] = ["unicast", "broadcast", "multicast", "other host", "out"];
const roundUp = (bytes: number) => (bytes + 7) & ~7;

/**
 * Sees what all interfaces of a network namespace send and receive (AF_PACKET, packet(7)), those that come later as well. Nothing is changed by it: the
 * packets go on. It keeps the namespace alive until it is disposed, which waits for the kernel to let go of it (some milliseconds).
 */
export class PacketSocket implements Disposable {
  /** -1: closed, which the kernel refuses. */
  #fd: number;
  readonly #where: string;
  readonly #snapLength: number;
  readonly #room: Uint8Array;

  private constructor(fd: number, where: string, snapLength: number) {
    this.#fd = fd;
    this.#where = where;
    this.#snapLength = snapLength;
    this.#room = new Uint8Array(Math.max(BATCH_BYTES, 2 * (RECORD_BYTES + roundUp(snapLength))));
  }

  /**
   * Throws `EPERM` without CAP_NET_RAW there, `EINVAL` for a filter that is no program, `ERR_INVALID_ARGUMENT` for lengths that are none, and what
   * entering the namespace does.
   */
  static open({ netns, filter, snapLength, receiveBufferBytes }: PacketSocketOptions): PacketSocket {
    const where = whereIs(netns);
    if (!Number.isInteger(snapLength) || snapLength < MIN_SNAP_LENGTH || snapLength > MAX_SNAP_LENGTH) {
      const range = `${MIN_SNAP_LENGTH} to ${MAX_SNAP_LENGTH}`;
      throw new LinuxError("ERR_INVALID_ARGUMENT", `snapLength is ${range} bytes, not ${snapLength}`);
    }
    if (filter.length === 0 || filter.length % 8 !== 0) {
      throw new LinuxError("ERR_INVALID_ARGUMENT", `a filter has eight bytes an instruction, not ${filter.length}`);
    }
    const fd = calling(`opening a packet socket${where}`, () =>
      native.packetOpen(netns ?? -1, filter, receiveBufferBytes),
    );
    return new PacketSocket(fd, where, snapLength);
  }

  /** What has come since, in order, and no more than fits into one reading: read on until there is nothing. Never waits. */
  read(): Packet[] {
    const used = calling(`reading packets${this.#where}`, () =>
      native.packetRead(this.#fd, this.#room, roundUp(this.#snapLength)),
    );
    return decodePackets(this.#room.slice(0, used), this.#snapLength);
  }

  /** Packets that the filter took and that found no room, since this was last asked. */
  drops(): number {
    return calling(`asking for dropped packets${this.#where}`, () => native.packetDrops(this.#fd));
  }

  /** Closes it; doing it again does nothing. */
  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

function decodePackets(batch: Uint8Array, snapLength: number): Packet[] {
  const view = viewOf(batch);
  const packets: Packet[] = [];
  for (let at = 0; at < batch.length; ) {
    const captured = view.getUint32(at + 12, littleEndian);
    const start = at + RECORD_BYTES;
    const tag: VlanTag | undefined =
      view.getUint8(at + 23) === 0
        ? undefined
        : { protocol: view.getUint16(at + 24, littleEndian), control: view.getUint16(at + 26, littleEndian) };
    const bytes = batch.subarray(start, start + Math.min(captured, snapLength));
    packets.push({
      atNs: view.getBigUint64(at, littleEndian),
      ifindex: view.getUint32(at + 8, littleEndian),
      length: view.getUint32(at + 16, littleEndian) + (tag === undefined ? 0 : 4),
      linkType: view.getUint16(at + 20, littleEndian),
      path: PATHS[view.getUint8(at + 22)] ?? "unicast",
      bytes: tag === undefined ? bytes : insertTag(bytes, tag),
    });
    at = start + roundUp(captured);
  }
  return packets;
}
