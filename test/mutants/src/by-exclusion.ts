import type { Redirection, Workload } from "@millrace/core";
import { applying, asCidrs, exclude, excluding, type Mutant } from "./mutant.ts";

/** Where the lab has its Service addresses, and the pods of its two nodes. */
const SERVICES = ["198.18.250.0/24", "2001:2:0:fa::/64"];
const PODS_HERE = ["198.18.1.0/24", "2001:2:0:1::/64"];
const PODS_ELSEWHERE = ["198.18.2.0/24", "2001:2:0:2::/64"];

/** Backends that leave out some of what they are to capture. */
export const byExclusion: readonly Mutant[] = [
  {
    behaviour: "outbound-vip",
    change: "what goes to a Service address is left to the node",
    failure: /the proxy saw: /,
    verbs: excluding(() => ({ outboundCidrs: SERVICES })),
  },
  {
    behaviour: "inbound-plaintext",
    change: "what comes from pods of other nodes is not captured",
    failure: /the proxy saw: /,
    verbs: excluding(() => ({ inboundCidrs: PODS_ELSEWHERE })),
  },
  {
    behaviour: "inbound-hbone",
    change: "port 15008 of a member is its own",
    failure: /answered by the proxy's sink/,
    verbs: excluding(() => ({ inboundPorts: [15008] })),
  },
  {
    behaviour: "no-hbone-confusion",
    change: "port 15001 of a member is not captured, as if it were the proxy's",
    failure: /the proxy saw: .* port 15001/,
    verbs: excluding(() => ({ inboundPorts: [15001] })),
  },
  {
    behaviour: "member-to-member-same-node",
    change: "what a member sends to another one of its node is captured where it arrives",
    failure: /the proxy saw: .*saw \["inbound/,
    verbs: (base) =>
      withOthers(base, (workload, others) =>
        exclude(workload, { outboundCidrs: asCidrs(others.flatMap(({ addresses }) => addresses)) }),
      ),
  },
  {
    behaviour: "plain-and-member",
    change: "what comes from pods of the same node is not captured",
    failure: /the proxy saw: /,
    verbs: excluding(() => ({ inboundCidrs: PODS_HERE })),
  },
  {
    behaviour: "nodeport-masquerade",
    change: "whatever comes from an address of the node is taken for a probe",
    failure: /the proxy saw: /,
    verbs: (base) => withNode(base, (addresses) => ({ inboundCidrs: asCidrs(addresses) })),
  },
  {
    behaviour: "member-to-node-ip",
    change: "what goes to an address of the node is not captured",
    failure: /the proxy saw: /,
    verbs: (base) => withNode(base, (addresses) => ({ outboundCidrs: asCidrs(addresses) })),
  },
  {
    behaviour: "ipv6-capture",
    change: "IPv6 to pods of the same node is not captured",
    failure: /the proxy saw: /,
    family: 6,
    verbs: excluding(() => ({ outboundCidrs: PODS_HERE.filter((cidr) => cidr.includes(":")) })),
  },
  {
    behaviour: "dns-capture",
    change: "DNS is captured of nobody",
    failure: /DNS captured/,
    verbs: applying((workload) => ({ ...workload, dnsCapture: false })),
  },
  {
    behaviour: "enrol-running-pod",
    change: "connections from before the enrolment are reset, though they were to drain",
    failure: /the connection from before/,
    verbs: applying((workload) => ({ ...workload, enrolExisting: "reset" })),
  },
  {
    behaviour: "ip-reuse",
    change: "a workload inherits the exclusions of whoever had its address",
    failure: /^(the proxy saw|the server saw|\w+ →)/,
    verbs: (base) => {
      const owners = new Map<string, Workload>();
      return {
        apply: (workload) => {
          const inherited = workload.addresses.reduce(
            (heir, address) => exclude(heir, owners.get(address)?.exclusions ?? {}),
            workload,
          );
          for (const address of workload.addresses) owners.set(address, inherited);
          return base.apply(inherited);
        },
      };
    },
  },
  {
    behaviour: "scale-and-exclusion",
    change: "of more than 100 workloads the rest is enrolled without capturing what it sends to port 8080",
    failure: /the proxy saw: /,
    verbs: (base) => {
      const first = new Set<string>();
      return {
        apply: (workload) => {
          if (first.size < 100) first.add(workload.uid);
          return base.apply(first.has(workload.uid) ? workload : exclude(workload, { outboundPorts: [8080] }));
        },
      };
    },
  },
];

/** Redirects each workload by what it knows of all the others. */
function withOthers(
  base: Redirection,
  change: (workload: Workload, others: readonly Workload[]) => Workload,
): Partial<Redirection> {
  const all = new Map<string, Workload>();
  return {
    async apply(workload) {
      all.set(workload.uid, workload);
      for (const one of all.values())
        await base.apply(
          change(
            one,
            [...all.values()].filter(({ uid }) => uid !== one.uid),
          ),
        );
    },
    remove(uid) {
      all.delete(uid);
      return base.remove(uid);
    },
  };
}

/** Workloads exclude something about the addresses that the node had first. */
function withNode(
  base: Redirection,
  exclusions: (addresses: readonly string[]) => Partial<Workload["exclusions"]>,
): Partial<Redirection> {
  const all = new Map<string, Workload>();
  let addresses: readonly string[] = [];
  const apply = (workload: Workload) => base.apply(exclude(workload, exclusions(addresses)));
  return {
    async useNode(node) {
      await base.useNode(node);
      if (addresses.length > 0) return;
      addresses = node.addresses.filter((address) => address !== "127.0.0.1" && address !== "::1");
      for (const workload of all.values()) await apply(workload);
    },
    apply(workload) {
      all.set(workload.uid, workload);
      return apply(workload);
    },
    remove(uid) {
      all.delete(uid);
      return base.remove(uid);
    },
  };
}
