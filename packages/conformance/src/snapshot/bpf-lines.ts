import { BpfProgram, probeTcx, queryTcx } from "libbpf-ts";
import { links, openNetns } from "linux-ts";
import type { Namespace } from "../lab/namespace.ts";

/** The tcx programs of every link of a namespace, in running order, by name: `h-m1 ingress app_outbound`. None where the kernel has no tcx. */
export function bpfLines(namespace: Namespace): string[] {
  const { available, error } = probeTcx();
  if (error) throw error;
  if (!available) return [];
  using netns = openNetns(namespace.path);
  return links(netns.fd).flatMap(({ index, name }) =>
    (["ingress", "egress"] as const).flatMap((direction) =>
      queryTcx({ ifindex: index, direction, netns: netns.fd }).programs.map(({ programId }) => {
        using program = BpfProgram.byId(programId);
        return `${name} ${direction} ${program.info.name}`;
      }),
    ),
  );
}
