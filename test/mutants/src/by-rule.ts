import type { Redirection } from "@millrace/core";
import type { Mutant } from "./mutant.ts";
import { OWN_NETNS, type Rules } from "./rules.ts";

/** Backends that get in the way of packets which are none of theirs, or that they were to carry. */
export const byRule: readonly Mutant[] = [
  {
    behaviour: "outbound-tcp",
    change: "a member's connection gets no further than 8 MB",
    failure: /^(upload|bytes that arrived)/,
    verbs: inMembers(`set sent { type inet_service; size 65535; flags dynamic,timeout; timeout 20s; }
      chain out {
        type filter hook output priority 0
        meta l4proto tcp update @sent { tcp sport quota over 8000000 bytes } drop
      }`),
  },
  {
    behaviour: "outbound-vip-local-address",
    change: "what the proxy sends to a Service address that an interface of the node has is dropped",
    failure: /→ 198\.18\.250\.3 port 80/,
    verbs: onNode(`chain pre {
        type filter hook prerouting priority -350
        fib daddr type local ip daddr 198.18.250.0/24 drop
        fib daddr type local ip6 daddr 2001:2:0:fa::/64 drop
      }`),
  },
  {
    behaviour: "nodeport-local",
    change: "what came to a node port without masquerading is dropped on its way to the member",
    failure: /ext → 198\.19\.0\.1 port/,
    verbs: onNode(`chain post {
        type filter hook postrouting priority 300
        oifname "h-*" ct status & (snat | dnat) == dnat ct original ip daddr 198.19.0.0/24 drop
        oifname "h-*" ct status & (snat | dnat) == dnat ct original ip6 daddr 2001:2:0:ff::/64 drop
      }`),
  },
  {
    behaviour: "self-call",
    change: "a member does not reach itself",
    failure: /m1 → 198\.18\.1\.10 port 8080/,
    verbs: inMembers(`chain out {
        type filter hook output priority 0
        oifname "lo" meta l4proto tcp drop
      }`),
  },
  {
    behaviour: "udp-both-ways",
    change: "a member's UDP gets no further than its namespace",
    failure: /m1 → ext/,
    verbs: inMembers(`chain out {
        type filter hook output priority 0
        udp dport 8080 drop
      }`),
  },
  {
    behaviour: "icmp",
    change: "pings of more than 3000 bytes are dropped",
    failure: /4000 bytes: answers/,
    verbs: inMembers(`chain out {
        type filter hook output priority -500
        icmp type echo-request meta length > 3000 drop
        icmpv6 type echo-request meta length > 3000 drop
      }`),
  },
  {
    behaviour: "pmtu-large",
    change: "the proxy does not hear of smaller MTUs",
    failure: /^(upload|download)/,
    verbs: (base, rules) => ({
      async useProxies(proxies) {
        await base.useProxies(proxies);
        if (proxies.active === undefined) return;
        await rules.set(
          proxies.active.interface.netns,
          `chain in {
            type filter hook prerouting priority -500
            icmp type destination-unreachable drop
            icmpv6 type packet-too-big drop
          }`,
        );
      },
      uninstall: () => uninstall(base, rules),
    }),
  },
];

/** Every member's namespace has these chains while it is one. */
function inMembers(content: string): NonNullable<Mutant["verbs"]> {
  return (base, rules) => {
    const places = new Map<string, string>();
    return {
      async apply(workload) {
        await base.apply(workload);
        const { netns } = workload.interface;
        if (places.get(workload.uid) === netns) return;
        places.set(workload.uid, netns);
        await rules.set(netns, content);
      },
      async remove(uid) {
        const netns = places.get(uid);
        places.delete(uid);
        if (netns !== undefined) await rules.clear(netns);
        await base.remove(uid);
      },
      uninstall: () => uninstall(base, rules),
    };
  };
}

/** The node's own namespace has these chains. */
function onNode(content: string): NonNullable<Mutant["verbs"]> {
  return (base, rules) => ({
    async useNode(node) {
      await base.useNode(node);
      await rules.set(OWN_NETNS, content);
    },
    uninstall: () => uninstall(base, rules),
  });
}

async function uninstall(base: Redirection, rules: Rules): Promise<void> {
  await rules.clearAll();
  await base.uninstall();
}
