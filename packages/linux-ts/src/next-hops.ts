import { Attributes, align4, littleEndian, viewOf } from "./attributes.ts";
import { LinuxError } from "./errors.ts";

/** struct rtnexthop (include/uapi/linux/rtnetlink.h): u16 length, u8 flags, u8 hops, s32 ifindex; then attributes. */
const rtnexthopLength = 8;

export interface NextHop {
  oif: number;
  gateway?: string;
  /** 1 to 256: its share among the ways. */
  weight: number;
}

export function decodeNextHops(
  bytes: Uint8Array,
  gatewayOf: (attributes: Attributes) => string | undefined,
): NextHop[] {
  const hops: NextHop[] = [];
  const view = viewOf(bytes);
  for (let offset = 0; offset < bytes.length; ) {
    const left = bytes.length - offset;
    const length = left < rtnexthopLength ? left : view.getUint16(offset, littleEndian);
    if (length < rtnexthopLength || length > left) {
      throw new LinuxError("ERR_MALFORMED", `rtnexthop at ${offset} claims ${length} of ${left} bytes`);
    }
    const gateway = gatewayOf(Attributes.parse(bytes.subarray(offset + rtnexthopLength, offset + length)));
    hops.push({
      oif: view.getInt32(offset + 4, littleEndian),
      ...(gateway === undefined ? {} : { gateway }),
      weight: view.getUint8(offset + 3) + 1,
    });
    offset += align4(length);
  }
  return hops;
}
