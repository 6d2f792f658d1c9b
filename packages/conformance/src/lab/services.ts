import { type DualStack, FAMILIES, type Family, hostPort } from "./addresses.ts";
import type { Namespace } from "./namespace.ts";

/** One address and port that a node translates. */
export interface ServiceRule {
  /** Virtual address, or the node's own for a node port. */
  readonly address: DualStack;
  readonly port: number;
  readonly endpoint: DualStack;
  readonly endpointPort: number;
  /**
   * Hide the client behind the node's address: what kube-proxy does for node ports under `externalTrafficPolicy: Cluster`.
   * A client that is its own endpoint is always hidden, or the answer would never leave it.
   */
  readonly masquerade?: boolean;
}

const TABLE = "kube-proxy";
/** kube-proxy's own default for "masquerade me later" (`--iptables-masquerade-bit=14`). */
const MASQUERADE_MARK = "0x4000";

/**
 * Service addresses of a node, translated in the shape of kube-proxy's rules: destination NAT in prerouting and output,
 * a mark for what is to be masqueraded, masquerading in postrouting.
 */
export class ServiceTable {
  readonly #namespace: Namespace;
  readonly #rules = new Map<string, ServiceRule>();

  constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  async add(name: string, rule: ServiceRule): Promise<void> {
    this.#rules.set(name, rule);
    await this.#program();
  }

  async remove(name: string): Promise<void> {
    if (this.#rules.delete(name)) await this.#program();
  }

  async clear(): Promise<void> {
    this.#rules.clear();
    await this.#program();
  }

  async #program(): Promise<void> {
    const rules = [...this.#rules.values()].flatMap((rule) => FAMILIES.map((family) => translation(rule, family)));
    const remove = `table inet ${TABLE} {}\ndelete table inet ${TABLE}\n`;
    if (rules.length === 0) {
      await this.#namespace.nft(remove);
      return;
    }
    await this.#namespace.nft(`${remove}table inet ${TABLE} {
  chain services {
${rules
  .flat()
  .map((line) => `    ${line}`)
  .join("\n")}
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
    meta mark & ${MASQUERADE_MARK} != 0 meta mark set meta mark & 0xffffbfff masquerade
  }
}
`);
  }
}

function translation(rule: ServiceRule, family: Family): string[] {
  const ip = family === 4 ? "ip" : "ip6";
  const match = `${ip} daddr ${rule.address[family]} tcp dport ${rule.port}`;
  const mark = `meta mark set meta mark | ${MASQUERADE_MARK}`;
  const endpoint = rule.endpoint[family];
  return [
    rule.masquerade === true ? `${match} ${mark}` : `${ip} saddr ${endpoint} ${match} ${mark}`,
    `${match} dnat ${ip} to ${hostPort(endpoint, rule.endpointPort)}`,
  ];
}
