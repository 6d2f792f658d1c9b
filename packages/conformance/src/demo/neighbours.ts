import { BpfProgram, queryClsact, queryTcx } from "libbpf-ts";
import { link, openNetns } from "linux-ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { ForeignProgram } from "../suite/foreign-program.ts";
import { expect } from "./scenario.ts";

/** Programs of somebody else on a member's veth: a tcx program and a clsact filter, both towards the pod, there before us. */
export interface Neighbours extends Disposable {
  /** Frames each has seen so far. */
  counts(): { readonly tcx: number; readonly clsact: number };
  /** What is not where it was put; `undefined` when both are. */
  missing(): string | undefined;
  /** The tcx programs on the veth, in running order, with their links. */
  chains(): string[];
  /** Takes the tcx program away, as its owner would. */
  removeTcx(): void;
  /** Puts a program ahead of all others that ends the chain for IPv6, on what leaves the pod. */
  letIpv6By(): void;
}

export function startNeighbours({ namespace }: LabNode, { hostInterface }: LabPod): Neighbours {
  using starting = new DisposableStack();
  const netns = starting.use(openNetns(namespace.path));
  const ifindex = link(netns.fd, hostInterface)?.index;
  expect(ifindex !== undefined, `there is no interface ${hostInterface}`);
  const tcx = starting.use(new ForeignProgram("foreign_unspec"));
  const clsact = starting.use(new ForeignProgram("foreign_unspec"));
  const tcxLink = tcx.attachTcxLast(namespace, hostInterface, "egress");
  clsact.attachClsact(namespace, hostInterface, "egress");
  const owned = starting.move();
  const chain = (direction: "ingress" | "egress") => queryTcx({ ifindex, netns: netns.fd, direction }).programs;
  return {
    counts: () => ({ tcx: tcx.seen, clsact: clsact.seen }),
    missing: () => {
      if (!chain("egress").some(({ programId }) => programId === tcx.id)) {
        return `the foreign tcx program is gone from ${hostInterface}`;
      }
      const place = { ifindex, netns: netns.fd, direction: "egress", priority: 1, handle: 1 } as const;
      const isThere = queryClsact(place)?.programId === clsact.id;
      return isThere ? undefined : `the foreign clsact filter is gone from ${hostInterface}`;
    },
    chains: () =>
      (["ingress", "egress"] as const).flatMap((direction) =>
        chain(direction).map(({ programId, linkId }) => {
          using running = BpfProgram.byId(programId);
          return `${hostInterface} tcx/${direction}: ${running.info.name} link ${linkId}`;
        }),
      ),
    removeTcx: () => tcxLink.detach(),
    letIpv6By: () => {
      owned.use(new ForeignProgram("foreign_ok_ipv6")).attachTcxFirst(namespace, hostInterface, "ingress");
    },
    [Symbol.dispose]: () => owned.dispose(),
  };
}
