import { PacketSocket } from "linux-ts";
import type { Seen } from "./capture-blocks.ts";
import { everyPacket, packetsOf } from "./packet-filter.ts";
import type { VantagePoint } from "./vantage-points.ts";

/** For what comes between two readings: some tens of thousands of small packets, or all of a gigabit per second. */
const RECEIVE_BUFFER_BYTES = 32 << 20;
/** Readings of one place in a row; then the others have their turn. */
const READINGS = 32;

/** A packet socket at one place, and what it has lost. */
export class Listening implements Disposable {
  readonly point: VantagePoint;
  readonly #socket: PacketSocket;
  readonly #rank: number;
  #lost = 0;
  #open = true;

  /**
   * In the pod's own namespace it hears all packets, elsewhere those from and to its addresses. `rank`: which place comes first of two that saw a packet
   * at the same time.
   */
  constructor(point: VantagePoint, addresses: readonly string[], snapLength: number, rank: number) {
    const filter = point.role === "pod" ? everyPacket(snapLength) : packetsOf(addresses, snapLength);
    this.point = point;
    this.#rank = rank;
    this.#socket = PacketSocket.open({
      netns: point.namespace.fd,
      filter,
      snapLength,
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    });
  }

  /** What has come since. */
  read(): Seen[] {
    const seen: Seen[] = [];
    for (let reading = 0; reading < READINGS; reading++) {
      const packets = this.#socket.read();
      if (packets.length === 0) break;
      for (const packet of packets) seen.push({ point: this.point, packet, atNs: packet.atNs, rank: this.#rank });
    }
    return seen;
  }

  /** Packets that the kernel had no room for, until it was closed. */
  get lost(): number {
    return this.#lost;
  }

  /** Counts once more, and closes it; doing it again does nothing. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#lost = this.#socket.drops();
    this.#socket[Symbol.dispose]();
  }
}
