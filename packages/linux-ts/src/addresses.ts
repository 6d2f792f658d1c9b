import { Attributes, littleEndian, PayloadWriter, structOf } from "./attributes.ts";
import { addressFamily, type Family, familyOf, formatAddress, parseAddress } from "./ip-address.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "./messages.ts";
import type { NetnsFd } from "./netns.ts";
import { dump, request } from "./request.ts";
import { type Scope, scopeOf } from "./scope.ts";

/** include/uapi/linux/rtnetlink.h. */
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

/** enum and flags in include/uapi/linux/if_addr.h. */
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_F_NODAD = 0x02;
const IFA_F_TENTATIVE = 0x40;

/** struct ifaddrmsg (if_addr.h): u8 family, u8 prefix length, u8 flags, u8 scope, u32 index. */
const ifaddrmsgLength = 8;

export interface Address {
  /** Of the link that has it. */
  index: number;
  family: Family;
  /** Canonical text, without the length. */
  address: string;
  prefixLength: number;
  scope: Scope;
  /** The other end of a point-to-point link, where it differs. */
  peer?: string;
  /** IPv6 duplicate detection is not over (RFC 4862): nothing can use the address yet. */
  tentative: boolean;
}

/** Undefined for families other than IPv4 and IPv6. */
export function decodeAddress(payload: Uint8Array): Address | undefined {
  const header = structOf(payload, ifaddrmsgLength, "ifaddrmsg");
  const family = familyOf(header.getUint8(0));
  if (family === undefined) return undefined;
  const attributes = Attributes.parse(payload.subarray(ifaddrmsgLength));
  // IFA_ADDRESS is the prefix's address: the peer's on point-to-point links, where IFA_LOCAL is ours (comment in if_addr.h).
  const prefix = attributes.bytes(IFA_ADDRESS);
  const local = attributes.bytes(IFA_LOCAL) ?? prefix;
  if (local === undefined) return undefined;
  const address = formatAddress(local);
  const peer = prefix === undefined ? address : formatAddress(prefix);
  return {
    index: header.getUint32(4, littleEndian),
    family,
    address,
    prefixLength: header.getUint8(1),
    scope: scopeOf(header.getUint8(3)),
    ...(peer === address ? {} : { peer }),
    tentative: (header.getUint8(2) & IFA_F_TENTATIVE) !== 0,
  };
}

/** All IPv4 and IPv6 addresses of the netns, in the kernel's order. */
export function addresses(netns?: NetnsFd): Address[] {
  const payload = new PayloadWriter().struct(ifaddrmsgLength).finish();
  return dump({ netns, doing: "listing addresses", type: RTM_GETADDR, name: "RTM_GETADDR", payload })
    .filter((message) => message.type === RTM_NEWADDR)
    .map((message) => decodeAddress(message.payload))
    .filter((address) => address !== undefined);
}

/** What to add to a link. */
export interface AddressSpec extends Pick<Address, "index" | "address" | "prefixLength"> {
  /** Usable at once, without IPv6 duplicate detection; nothing to IPv4. */
  noDad?: boolean;
}

/** Gives a link an address of global scope. Throws `EEXIST` when it has it, `ENODEV`, and `ERR_INVALID_ARGUMENT` for what is no address. */
export function addAddress(netns: NetnsFd, { index, address, prefixLength, noDad = false }: AddressSpec): void {
  const bytes = parseAddress(address);
  const payload = new PayloadWriter()
    .struct(ifaddrmsgLength, (view) => {
      view.setUint8(0, addressFamily[bytes.length === 4 ? 4 : 6]);
      view.setUint8(1, prefixLength);
      view.setUint8(2, noDad ? IFA_F_NODAD : 0);
      view.setUint32(4, index, littleEndian);
    })
    .attribute(IFA_LOCAL, bytes)
    .attribute(IFA_ADDRESS, bytes)
    .finish();
  const doing = `adding the address ${address}/${prefixLength} to link ${index}`;
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  request({ netns, doing, type: RTM_NEWADDR, name: "RTM_NEWADDR", flags, payload });
}
