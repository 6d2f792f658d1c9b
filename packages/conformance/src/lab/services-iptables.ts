import { type Family, hostPort } from "./addresses.ts";
import type { ServiceRule } from "./services.ts";

const MARK = "0x4000/0x4000";

/**
 * What kube-proxy in its iptables mode keeps on a node without Services (pkg/proxy/iptables/proxier.go), and the chain by which
 * the kubelet notices that tables were flushed (pkg/kubelet/kubelet_network_linux.go). kube-proxy drops what conntrack calls
 * invalid: a backend whose packets bypass conntrack one way only would lose them here.
 */
export const iptablesBase = (): string => `*mangle
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark ${MARK} -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
COMMIT
*filter
:KUBE-FORWARD - [0:0]
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark ${MARK} -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`;

/** One transaction that makes the node's Services be `rules`, where they were `before`. */
export function iptablesServices(
  rules: ReadonlyMap<string, ServiceRule>,
  before: ReadonlyMap<string, ServiceRule>,
  family: Family,
): string {
  const gone = [...before.keys()].filter((name) => !rules.has(name)).flatMap(chainsOf);
  const chains = ["KUBE-SERVICES", ...[...rules.keys()].flatMap(chainsOf), ...gone];
  return `*nat
${chains.map((chain) => `:${chain} - [0:0]\n`).join("")}${[...rules].flatMap(([name, rule]) => translation(name, rule, family)).join("\n")}
${gone.map((chain) => `-X ${chain}\n`).join("")}COMMIT
`;
}

/** The chain of a Service and the one of its endpoint. */
function chainsOf(name: string): string[] {
  const suffix = name
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, "")
    .slice(0, 16);
  return [`KUBE-SVC-${suffix}`, `KUBE-SEP-${suffix}`];
}

function translation(name: string, rule: ServiceRule, family: Family): string[] {
  const [service = "", endpoint = ""] = chainsOf(name);
  const host = rule.endpoint[family];
  return [
    `-A KUBE-SERVICES -d ${rule.address[family]} -p tcp -m tcp --dport ${rule.port} -j ${service}`,
    ...(rule.masquerade === true ? [`-A ${service} -j KUBE-MARK-MASQ`] : []),
    `-A ${service} -j ${endpoint}`,
    `-A ${endpoint} -s ${host} -j KUBE-MARK-MASQ`,
    `-A ${endpoint} -p tcp -m tcp -j DNAT --to-destination ${hostPort(host, rule.endpointPort)}`,
  ];
}
