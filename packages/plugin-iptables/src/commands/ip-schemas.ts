import { z } from "zod";

/** What this backend reads of iproute2's JSON (iproute2, ip/ipaddress.c, iplink_geneve.c, iplink_vxlan.c, iproute.c). */
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

export type IpLink = z.output<typeof ipLink>;
export type IpRoute = z.output<typeof ipRoute>;
