import { queryTcx } from "libbpf-ts";
import { links, openNetns } from "linux-ts";
import type { BenchNode } from "./node.ts";

const SHOW = `
ip -o -d link
for family in -4 -6; do ip $family -d rule; ip $family route show table all; ip $family neigh show nud permanent; done
nft -s list ruleset
for program in iptables ip6tables; do
  $program-nft-save
  grep -qs . /proc/net/\${program%tables}_tables_names && $program-legacy-save
done
ipset save -sorted
true`;

/** Times and counters: a comment of iptables-save, the counters of a policy, seconds that an entry has left. */
const VOLATILE = /^#.*$| \[\d+:\d+\]$| timeout \d+/gm;

/** All that a backend can write on a node, as text; what changes by itself is left out. */
export function dump(node: BenchNode): string {
  using netns = openNetns(node.path);
  const all = links(netns.fd);
  const directions = ["ingress", "egress"] as const;
  const tcx = all.flatMap(({ index, name }) =>
    directions.map((direction) => {
      const { programs } = queryTcx({ ifindex: index, direction, netns: netns.fd });
      return `${name} ${direction} ${JSON.stringify(programs)}`;
    }),
  );
  const filters = all.flatMap(({ name }) => directions.map((direction) => `filter show dev ${name} ${direction}`));
  const clsact = node.sh("tc -force -batch - 2>/dev/null || true", `${filters.join("\n")}\n`);
  return [node.sh(SHOW).replaceAll(VOLATILE, ""), clsact, ...tcx].join("\n");
}
