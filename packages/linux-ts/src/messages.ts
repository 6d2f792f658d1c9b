import { Attributes, align4, littleEndian, structOf, viewOf } from "./attributes.ts";
import { LinuxError } from "./errors.ts";

/** struct nlmsghdr (include/uapi/linux/netlink.h): u32 length, u16 type, u16 flags, u32 sequence, u32 port. */
const headerLength = 16;

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
/** In an NLMSG_ERROR: the request is not repeated behind the error; attributes follow. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
/** NLM_F_ROOT | NLM_F_MATCH. */
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

/** enum nlmsgerr_attrs. */
const NLMSGERR_ATTR_MSG = 1;

export interface Message {
  type: number;
  flags: number;
  payload: Uint8Array;
}

/** Splits what a netlink socket delivered. Throws `ERR_MALFORMED` for a message longer than what is left. */
export function* splitMessages(bytes: Uint8Array): Generator<Message> {
  const view = viewOf(bytes);
  for (let offset = 0; offset < bytes.length; ) {
    const left = bytes.length - offset;
    const length = left < headerLength ? left : view.getUint32(offset, littleEndian);
    if (length < headerLength || length > left) {
      throw new LinuxError("ERR_MALFORMED", `netlink message at ${offset} claims ${length} of ${left} bytes`);
    }
    yield {
      type: view.getUint16(offset + 4, littleEndian),
      flags: view.getUint16(offset + 6, littleEndian),
      payload: bytes.subarray(offset + headerLength, offset + length),
    };
    offset += align4(length);
  }
}

export interface Verdict {
  /** Negative; 0 is success. */
  errno: number;
  /** The kernel's explanation; empty when it gave none. */
  text: string;
}

/** What an NLMSG_ERROR or NLMSG_DONE says. NLMSG_DONE has a status only for dumps (netlink_dump_done, net/netlink/af_netlink.c). */
export function verdictOf({ type, flags, payload }: Message): Verdict {
  if (type === NLMSG_DONE && payload.length < 4) return { errno: 0, text: "" };
  const errno = structOf(payload, 4, "netlink verdict").getInt32(0, littleEndian);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, text: "" };
  let offset = 4;
  if (type === NLMSG_ERROR) {
    // struct nlmsgerr: the error, the request's header, and unless capped the rest of the request.
    const requestLength = structOf(payload, 4 + headerLength, "nlmsgerr").getUint32(4, littleEndian);
    offset += (flags & NLM_F_CAPPED) === 0 ? align4(requestLength) : headerLength;
  }
  return { errno, text: Attributes.parse(payload.subarray(offset)).string(NLMSGERR_ATTR_MSG) ?? "" };
}
