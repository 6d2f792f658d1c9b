import { queryTcx } from "libbpf-ts";
import { links, openNetns, tcFilters } from "linux-ts";
import type { NodeBox } from "./node-box.ts";

export interface AttachedProgram {
  readonly mode: "tcx" | "clsact";
  /** Namespace, interface, direction. */
  readonly where: string;
  readonly programId: number | undefined;
  /** Of a tcx link. */
  readonly linkId: number | undefined;
}

/** All programs at the interfaces of a box, in running order. */
export function attachments(box: NodeBox): AttachedProgram[] {
  return [box.netns, ...box.pods.map(({ netns }) => netns)].flatMap((name) => {
    using netns = openNetns(`/run/netns/${name}`);
    return links(netns.fd).flatMap((link) =>
      (["ingress", "egress"] as const).flatMap((direction) => {
        const place = { netns: netns.fd, ifindex: link.index, direction };
        const where = `${name.replace(box.netns, "node")} ${link.name} ${direction}`;
        return [
          ...queryTcx(place).programs.map(({ programId, linkId }) => ({
            mode: "tcx" as const,
            where,
            programId,
            linkId,
          })),
          ...tcFilters(place).map(({ programId }) => ({
            mode: "clsact" as const,
            where,
            programId,
            linkId: undefined,
          })),
        ];
      }),
    );
  });
}
