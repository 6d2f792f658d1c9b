import { hostname, release, type } from "node:os";
import type { Packet } from "linux-ts";
import { VERSION } from "../version.ts";
import { ARPHRD_ETHER } from "./packet-filter.ts";
import {
  enhancedPacket,
  interfaceDescription,
  interfaceStatistics,
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW_IP,
  sectionHeader,
} from "./pcapng.ts";
import type { VantagePoint } from "./vantage-points.ts";

/** A packet, and from where it was seen. */
export interface Seen {
  readonly point: VantagePoint;
  readonly packet: Packet;
  readonly atNs: bigint;
  readonly rank: number;
}

/** What the file is about, for who opens it. */
export function captureHeader(comment: string): Buffer {
  return sectionHeader({ os: `${type()} ${release()} (${hostname()})`, application: `millrace ${VERSION}`, comment });
}

/** Makes the file's blocks of what is seen; an interface is described before its first packet. */
export class CaptureBlocks {
  readonly #snapLength: number;
  readonly #nameOf: (point: VantagePoint, ifindex: number) => string;
  /** In the order of their descriptions: its number is the place of an interface. */
  readonly #interfaces: { readonly point: VantagePoint; readonly ifindex: number }[] = [];

  /** `nameOf`: an interface's name in a namespace. */
  constructor(snapLength: number, nameOf: (point: VantagePoint, ifindex: number) => string) {
    this.#snapLength = snapLength;
    this.#nameOf = nameOf;
  }

  packet({ point, packet }: Seen): Buffer {
    const { ifindex, atNs, length, bytes, path, linkType } = packet;
    const known = this.#numberOf(point, ifindex);
    const interfaceId = known < 0 ? this.#interfaces.length : known;
    const isOutbound = path === "out";
    const block = enhancedPacket({
      interfaceId,
      atNs,
      length,
      bytes,
      isOutbound,
      ...(path !== "out" && { reception: path === "other host" ? "promiscuous" : path }),
    });
    if (known >= 0) return block;
    this.#interfaces.push({ point, ifindex });
    const description = interfaceDescription({
      linkType: linkType === ARPHRD_ETHER ? LINKTYPE_ETHERNET : LINKTYPE_RAW_IP,
      snapLength: this.#snapLength,
      name: `${point.role}:${this.#nameOf(point, ifindex)}`,
      description: point.of,
    });
    return Buffer.concat([description, block]);
  }

  /** Says in the file that packets were lost at a place. Nothing where it has no interface: no packet was seen there. */
  drops(point: VantagePoint, count: number, atNs: bigint): Buffer {
    const first = this.#interfaces.findIndex((known) => known.point === point);
    if (first < 0) return Buffer.alloc(0);
    return interfaceStatistics(first, atNs, count, `lost at all interfaces of ${point.of} together`);
  }

  #numberOf(point: VantagePoint, ifindex: number): number {
    return this.#interfaces.findIndex((known) => known.point === point && known.ifindex === ifindex);
  }
}
