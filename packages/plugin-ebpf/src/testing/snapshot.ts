import type { NodeBox } from "./node-box.ts";
import { run } from "./run.ts";

/** Sysctls that count or change by themselves. */
const VOLATILE =
  "nf_conntrack_count|nf_conntrack_generation|tcp_fastopen_key|stable_secret|flush|ip6frag|tcp_mem|random_table";

const SHOW = `
ip -o link show | sed 's/ state .*//; s/<.*//'
for family in -4 -6; do ip $family rule show; ip $family -o route show table all | grep -v expires; done
tc qdisc show | sed 's/ refcnt.*//'
for path in /proc/sys/net/ipv4/conf/*; do
  for direction in ingress egress; do tc filter show dev $(basename $path) $direction 2>/dev/null | sed "s/^/$(basename $path) $direction /"; done
done
nft list ruleset
sysctl -a --pattern '^net\\.' 2>/dev/null | grep -vE '${VOLATILE}'
`;

/** Everything about a box that the backend could change, one line each: links, rules, routes, qdiscs, filters, nft tables, sysctls, pins, journal. */
export function snapshot(box: NodeBox): string[] {
  const namespaces = [box.netns, ...box.pods.map(({ netns }) => netns)];
  const network = namespaces.flatMap((netns) =>
    run("nsenter", `--net=/run/netns/${netns}`, "sh", "-c", SHOW)
      .split("\n")
      .map((line) => `${netns.replace(box.netns, "node")}: ${line}`),
  );
  const files = box.inside("find", box.directory, "-mindepth", "1").split("\n").sort();
  return [...network, ...files.map((line) => line.replace(box.directory, "files: "))];
}
