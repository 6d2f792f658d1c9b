import { FAMILIES, type Family, hostPort } from "./addresses.ts";
import type { ServiceRule } from "./services.ts";

/** Of nftables, on the node. */
export const SERVICES_TABLE = "kube-proxy";
const MARK = "0x4000";

/** kube-proxy's nftables mode (pkg/proxy/nftables/proxier.go), without its maps: one rule for each Service. */
export function nftServices(rules: readonly ServiceRule[]): string {
  const remove = `table inet ${SERVICES_TABLE} {}\ndelete table inet ${SERVICES_TABLE}\n`;
  if (rules.length === 0) return remove;
  const lines = rules.flatMap((rule) => FAMILIES.flatMap((family) => translation(rule, family)));
  return `${remove}table inet ${SERVICES_TABLE} {
  chain services {
${lines.map((line) => `    ${line}`).join("\n")}
  }
  chain prerouting {
    type nat hook prerouting priority -100
    jump services
  }
  chain output {
    type nat hook output priority -100
    jump services
  }
  chain postrouting {
    type nat hook postrouting priority 100
    meta mark & ${MARK} != 0 meta mark set meta mark & 0xffffbfff masquerade
  }
}
`;
}

function translation(rule: ServiceRule, family: Family): string[] {
  const ip = family === 4 ? "ip" : "ip6";
  const match = `${ip} daddr ${rule.address[family]} tcp dport ${rule.port}`;
  const mark = `meta mark set meta mark | ${MARK}`;
  const endpoint = rule.endpoint[family];
  return [
    rule.masquerade === true ? `${match} ${mark}` : `${ip} saddr ${endpoint} ${match} ${mark}`,
    `${match} dnat ${ip} to ${hostPort(endpoint, rule.endpointPort)}`,
  ];
}
