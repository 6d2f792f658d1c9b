import type { Kind } from "../fuzz/fuzz.ts";
import type { Change } from "./variant.ts";

/**
 * Bugs that a program of this kind has, or that the ones we learnt from had. The fuzzer has to find those of `made-up` frames, the veth corpus
 * those of `real` ones: packets whose head is not linear, tags of VLAN offload.
 */
export interface PlantedBug {
  readonly name: string;
  readonly foundBy: "made-up" | "real";
  /** What it leads to; an escape if nothing is said. */
  readonly kind?: Kind;
  readonly change: Change;
}

const parse = (from: string, to: string): Change => ({ file: "include/parse.h", from, to });

/** The header is taken for the packet's content. */
const unfollowed = (name: string, constant: string): PlantedBug => ({
  name: `${name} not followed`,
  foundBy: "made-up",
  change: parse(
    "__u8 protocol = packet->protocol;",
    `__u8 protocol = packet->protocol;\n\n\t\tif (protocol == ${constant})\n\t\t\treturn true;\n`,
  ),
});

/** Of a dead proxy's RST. */
const answered = (name: string, from: string, to: string): PlantedBug => ({
  name,
  foundBy: "made-up",
  kind: "mistaken",
  change: { file: "include/refuse.h", from, to },
});

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "IP options skipped",
    foundBy: "made-up",
    kind: "mistaken",
    change: parse("cursor->offset += ip.ihl * 4;", "cursor->offset += sizeof(ip);"),
  },
  {
    name: "packets with IP options let by",
    foundBy: "made-up",
    change: parse("packet->protocol = ip.protocol;", "packet->protocol = ip.ihl == 5 ? ip.protocol : 0;"),
  },
  unfollowed("hop-by-hop options", "IPPROTO_HOPOPTS"),
  unfollowed("routing header", "IPPROTO_ROUTING"),
  unfollowed("Fragment header", "IPPROTO_FRAGMENT"),
  unfollowed("AH", "IPPROTO_AH"),
  unfollowed("destination options", "IPPROTO_DSTOPTS"),
  unfollowed("mobility header", "IPPROTO_MH"),
  unfollowed("HIP", "NEXTHDR_HIP"),
  unfollowed("Shim6", "NEXTHDR_SHIM6"),
  {
    name: "first fragment let by",
    foundBy: "made-up",
    change: parse(
      "if (packet->protocol != IPPROTO_TCP)",
      "if (packet->protocol != IPPROTO_TCP || (packet->is_fragment && !packet->is_later_fragment))",
    ),
  },
  {
    name: "first fragment without the whole TCP header let by",
    foundBy: "made-up",
    change: parse(
      "return parse_tcp(&cursor, packet) ? FRAME_TCP : FRAME_UNPARSABLE;",
      "return parse_tcp(&cursor, packet) ? FRAME_TCP : packet->is_fragment ? FRAME_OTHER : FRAME_UNPARSABLE;",
    ),
  },
  {
    name: "later fragment let by",
    foundBy: "made-up",
    change: parse("return FRAME_TCP_FRAGMENT;", "return FRAME_OTHER;"),
  },
  {
    name: "later fragment taken for a whole packet",
    foundBy: "made-up",
    kind: "mistaken",
    change: parse("packet->is_later_fragment = fragment & IPV4_FRAGMENT_OFFSET;", "packet->is_later_fragment = false;"),
  },
  {
    name: "tag in the frame let by",
    foundBy: "made-up",
    change: parse(
      "type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)",
      "type == bpf_htons(ETH_P_8021AD)",
    ),
  },
  {
    name: "offloaded tag let by",
    foundBy: "real",
    change: {
      file: "include/member-frame.h",
      from: "if (frame != FRAME_OTHER && is_in_vlan(skb))\n\t\treturn FRAME_UNPARSABLE;",
      to: "if (frame != FRAME_OTHER && is_in_vlan(skb))\n\t\treturn FRAME_OTHER;",
    },
  },
  {
    name: "bound off by one: the packet's last byte is missed",
    foundBy: "made-up",
    kind: "mistaken",
    change: parse(
      "if (cursor->offset + bytes > cursor->end)\n\t\treturn false;\n\tif (__builtin",
      "if (cursor->offset + bytes >= cursor->end)\n\t\treturn false;\n\tif (__builtin",
    ),
  },
  {
    name: "bound off by one: the header behind the last that is followed",
    foundBy: "made-up",
    change: parse(
      "if (i == MAX_EXTENSION_HEADERS)\n\t\t\treturn false;",
      "if (i == MAX_EXTENSION_HEADERS - 1)\n\t\t\treturn true;",
    ),
  },
  {
    name: "length off by one: AH in words minus one",
    foundBy: "made-up",
    change: parse("bytes = header.length * 4 + 8;", "bytes = header.length * 4 + 4;"),
  },
  {
    name: "no pull",
    foundBy: "real",
    change: parse(
      "cursor.offset = sizeof(struct ethhdr);\n",
      "cursor.offset = sizeof(struct ethhdr);\n\tif ((void *)(long)skb->data + 34 > (void *)(long)skb->data_end)\n\t\treturn FRAME_OTHER;\n",
    ),
  },
  answered("a SYN that the answer does not count", "!!(packet->flags & TCP_SYN)", "0"),
  answered("an answer to an RST", "!(packet->flags & TCP_RST) && ", ""),
  answered("an answer to a fragment", " && !packet->is_fragment", ""),
  answered("an answer with the packet's own hops", "after.ttl = HOPS;", ""),
  answered(
    "an answer to data with a number that nobody waits for",
    "offsetof(struct tcphdr, ack_seq)",
    "offsetof(struct tcphdr, seq)",
  ),
  {
    name: "OK instead of UNSPEC",
    foundBy: "made-up",
    change: { file: "include/verdict.h", from: "return TC_ACT_UNSPEC;", to: "return TC_ACT_OK;" },
  },
  {
    name: "IPv6 let by",
    foundBy: "made-up",
    change: parse("if (!parse_ipv6(&cursor, packet))\n\t\t\treturn FRAME_UNPARSABLE;", "return FRAME_OTHER;"),
  },
];
