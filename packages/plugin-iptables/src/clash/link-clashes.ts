import type { IpLink } from "../commands/ip-schemas.ts";
import type { Clash } from "./clash.ts";
import { KNOWN_OWNERS, ownerByName, UNKNOWN_OWNER } from "./known-owners.ts";
import { hex } from "./mark-bits.ts";
import { isOurLink, type Wanted } from "./wanted.ts";

/** Links by our names that are not ours. */
export function linkClashes(links: readonly IpLink[], wanted: Pick<Wanted, "links">): Clash[] {
  return links
    .filter(({ ifname }) => ifname in wanted.links)
    .filter((link) => !isOurLink(wanted, link))
    .map(({ ifname, linkinfo }) => ({
      kind: "link",
      where: `${ifname} (${linkinfo?.info_kind ?? "a device"})`,
      owner: ownerByName("links", ifname) ?? UNKNOWN_OWNER,
      effect: `our tunnel has that name, with VNI ${wanted.links[ifname]}`,
      setting: "backends.iptables.links",
    }));
}

/** Addresses of the node that are those of our next hops, which nobody may have. */
export function gatewayClashes(
  addresses: readonly { readonly address: string; readonly link: string }[],
  { gateways }: Pick<Wanted, "gateways">,
): Clash[] {
  return addresses
    .filter(({ address }) => gateways.includes(address))
    .map(({ address, link }) => ({
      kind: "address",
      where: `${address} on ${link}`,
      owner: ownerByName("links", link) ?? UNKNOWN_OWNER,
      effect: "it is the next hop behind our tunnels, so packets to it would end on the node",
      setting: "backends.iptables.links.gateway4 or gateway6",
    }));
}

/** Makers that set marks by BPF programs, which no rule tells of: their link says that they are there. */
export function hiddenMarkClashes(links: readonly IpLink[], { mask }: Pick<Wanted, "mask">): Clash[] {
  return KNOWN_OWNERS.flatMap(({ name, hiddenMarks }) => {
    const isThere = hiddenMarks !== undefined && links.some(({ ifname }) => ifname === hiddenMarks.link);
    if (!isThere || (hiddenMarks.bits & mask) >>> 0 === 0) return [];
    const free = hex(~hiddenMarks.bits);
    return {
      kind: "BPF programs",
      where: `behind ${hiddenMarks.link}`,
      owner: name,
      effect: `they write the bits ${hex(hiddenMarks.bits)} of the mark, and ours are ${hex(mask)}`,
      setting: `backends.iptables.marks.mask to bits within ${free} if they suffice, or redirectMode to ebpf`,
    };
  });
}
