import { z } from "zod";

/** What this backend reads of iproute2's JSON (iproute2, ip/ipaddress.c, iplink_geneve.c, iplink_vxlan.c, iproute.c, iprule.c, ipneigh.c). */
export const ipLink = z.object({
  ifindex: z.int(),
  ifname: z.string(),
  flags: z.array(z.string()),
  mtu: z.int(),
  address: z.string().optional(),
  master: z.string().optional(),
  linkinfo: z
    .object({
      info_kind: z.string().optional(),
      /** Of a geneve or vxlan device, or a bridge. An external one (`collect metadata`) has id 0 and no remote. */
      info_data: z
        .object({
          id: z.int().optional(),
          external: z.boolean().optional(),
          remote: z.string().optional(),
          remote6: z.string().optional(),
          /** UDP port. */
          port: z.int().optional(),
          /** Of a bridge: 0 or 1. */
          vlan_filtering: z.int().optional(),
        })
        .optional(),
    })
    .optional(),
});

export const ipRoute = z.object({
  type: z.string().optional(),
  dst: z.string(),
  gateway: z.string().optional(),
  dev: z.string().optional(),
  /** A number as text; left out where the query named one. */
  table: z.string().optional(),
  protocol: z.string(),
  metric: z.int().optional(),
  prefsrc: z.string().optional(),
  flags: z.array(z.string()),
});

export const ipRule = z.object({
  priority: z.int(),
  not: z.null().optional(),
  src: z.string(),
  srclen: z.int().optional(),
  dst: z.string().optional(),
  dstlen: z.int().optional(),
  iif: z.string().optional(),
  oif: z.string().optional(),
  /** Hexadecimal, `0x1`. */
  fwmark: z.string().optional(),
  fwmask: z.string().optional(),
  /** A number as text; lib/inet_proto.c prints `ipproto-6`. */
  ipproto: z
    .string()
    .transform((text) => text.replace(/^ipproto-/, ""))
    .optional(),
  /** A number as text. */
  table: z.string().optional(),
  goto: z.int().optional(),
  /** There, and null, of a rule that does nothing. */
  nop: z.null().optional(),
  action: z.string().optional(),
  protocol: z.string().optional(),
});

export const ipNeighbour = z.object({
  dst: z.string(),
  /** Left out where the query named one. */
  dev: z.string().optional(),
  lladdr: z.string().optional(),
  state: z.array(z.string()),
});

export type IpLink = z.output<typeof ipLink>;
export type IpRoute = z.output<typeof ipRoute>;
export type IpRule = z.output<typeof ipRule>;
export type IpNeighbour = z.output<typeof ipNeighbour>;
