import { z } from "zod";
import type { Namespace } from "../lab/namespace.ts";

const Links = z.array(
  z.looseObject({
    ifname: z.string(),
    linkinfo: z.looseObject({ info_kind: z.string().optional() }).optional(),
    stats64: z.looseObject({
      rx: z.looseObject({ packets: z.number().int() }),
      tx: z.looseObject({ packets: z.number().int() }),
    }),
  }),
);

/** A tunnel's end on a node, with the packets it has carried. */
export interface TunnelUse {
  readonly device: string;
  readonly kind: string;
  readonly received: number;
  readonly sent: number;
}

/** The Geneve and VXLAN devices of a namespace: none, under a backend that needs no tunnel. */
export async function tunnelsOf(namespace: Namespace): Promise<TunnelUse[]> {
  const listed = await namespace.runChecked("ip", ["-j", "-d", "-s", "link", "show"]);
  return Links.parse(JSON.parse(listed)).flatMap(({ ifname, linkinfo, stats64: { rx, tx } }) => {
    const kind = linkinfo?.info_kind;
    if (kind !== "geneve" && kind !== "vxlan") return [];
    return [{ device: ifname, kind, received: rx.packets, sent: tx.packets }];
  });
}

/** The same device of one lab after the other, as one. */
export function addTunnels(sum: readonly TunnelUse[], more: readonly TunnelUse[]): TunnelUse[] {
  const names = [...new Set([...sum, ...more].map(({ device, kind }) => `${device} ${kind}`))];
  return names.map((name) => {
    const own = [...sum, ...more].filter(({ device, kind }) => `${device} ${kind}` === name);
    const [device = "", kind = ""] = name.split(" ");
    const total = (pick: (use: TunnelUse) => number): number => own.reduce((all, use) => all + pick(use), 0);
    return { device, kind, received: total(({ received }) => received), sent: total(({ sent }) => sent) };
  });
}
