import { fileURLToPath } from "node:url";
import { attachClsact, attachTcx, type BpfLink, BpfObject, BpfProgram, queryClsact, queryTcx } from "libbpf-ts";
import { links, openNetns } from "linux-ts";
import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";

const OBJECT = fileURLToPath(new URL("../../test-objects/foreign.bpf.o", import.meta.url));

/** Keys of `foreign_counts` in foreign.bpf.c. */
const COUNTS = { tcx: 0, clsact: 1 } as const;

/** The place that everybody takes without asking. */
const FILTER = { direction: "egress", priority: 1, handle: 1 } as const;

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

export function startNeighbours(node: LabNode, pod: LabPod): Neighbours {
  const object = BpfObject.open(OBJECT);
  object.load();
  const netns = openNetns(node.namespace.path);
  const ifindex = links(netns.fd).find(({ name }) => name === pod.hostInterface)?.index;
  if (ifindex === undefined) throw new Error(`${node.name} has no interface ${pod.hostInterface}`);
  const program = (name: string): BpfProgram => object.program(name);
  const hook = { ifindex, netns: netns.fd } as const;
  const tcx: BpfLink = attachTcx({ ...hook, program: program("foreign_tcx"), direction: "egress" });
  attachClsact({ ...hook, ...FILTER, program: program("foreign_clsact") });
  const ids = { tcx: program("foreign_tcx").info.id, clsact: program("foreign_clsact").info.id };
  let ahead: BpfLink | undefined; // held, or the link would go with it
  const count = (key: number): number => {
    const value = object.map("foreign_counts").lookup(new Uint8Array(new Uint32Array([key]).buffer));
    return value === undefined ? 0 : Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0, true));
  };
  return {
    counts: () => ({ tcx: count(COUNTS.tcx), clsact: count(COUNTS.clsact) }),
    missing: () => {
      const chain = queryTcx({ ...hook, direction: "egress" }).programs;
      if (!chain.some(({ programId }) => programId === ids.tcx))
        return `the foreign tcx program is gone from ${pod.hostInterface}`;
      const filter = queryClsact({ ...hook, ...FILTER });
      return filter?.programId === ids.clsact
        ? undefined
        : `the foreign clsact filter is gone from ${pod.hostInterface}`;
    },
    chains: () =>
      (["ingress", "egress"] as const).flatMap((direction) =>
        queryTcx({ ...hook, direction }).programs.map(({ programId, linkId }) => {
          using running = BpfProgram.byId(programId);
          return `${pod.hostInterface} tcx/${direction}: ${running.info.name} link ${linkId}`;
        }),
      ),
    removeTcx: () => tcx.detach(),
    [Symbol.dispose]: () => {
      for (const owned of [ahead, tcx, object, netns]) owned?.[Symbol.dispose]();
    },
    letIpv6By: () => {
      ahead = attachTcx({ ...hook, program: program("foreign_ok_ipv6"), direction: "ingress", position: "first" });
    },
  };
}
