import { type DualStack, FAMILIES } from "./addresses.ts";
import type { Namespace } from "./namespace.ts";
import { iptablesBase, iptablesServices } from "./services-iptables.ts";
import { nftServices } from "./services-nft.ts";

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

/** kube-proxy's modes: its own nftables table, or chains in iptables, of either flavour. */
export const SERVICE_MODES = ["nft", "iptables-nft", "iptables-legacy"] as const;
export type ServiceMode = (typeof SERVICE_MODES)[number];

/**
 * Service addresses of a node, translated in the shape of kube-proxy's rules: destination NAT in prerouting and output,
 * a mark for what is to be masqueraded, masquerading in postrouting.
 */
export class ServiceTable {
  readonly mode: ServiceMode;
  readonly #namespace: Namespace;
  readonly #rules = new Map<string, ServiceRule>();

  constructor(namespace: Namespace, mode: ServiceMode = "nft") {
    this.#namespace = namespace;
    this.mode = mode;
  }

  /** What kube-proxy and the kubelet put there before there is any Service; in nftables mode nothing. */
  async install(): Promise<void> {
    if (this.mode !== "nft") await this.#restore(() => iptablesBase());
  }

  async add(name: string, rule: ServiceRule): Promise<void> {
    const before = new Map(this.#rules);
    this.#rules.set(name, rule);
    await this.#program(before);
  }

  async remove(name: string): Promise<void> {
    const before = new Map(this.#rules);
    if (this.#rules.delete(name)) await this.#program(before);
  }

  async clear(): Promise<void> {
    const before = new Map(this.#rules);
    this.#rules.clear();
    await this.#program(before);
  }

  async #program(before: ReadonlyMap<string, ServiceRule>): Promise<void> {
    if (this.mode === "nft") await this.#namespace.nft(nftServices([...this.#rules.values()]));
    else await this.#restore((family) => iptablesServices(this.#rules, before, family));
  }

  async #restore(script: (family: 4 | 6) => string): Promise<void> {
    const flavour = this.mode === "iptables-legacy" ? "legacy" : "nft";
    for (const family of FAMILIES) {
      const program = `${family === 4 ? "iptables" : "ip6tables"}-${flavour}-restore`;
      await this.#namespace.runChecked(program, ["-w", "10", "--noflush"], { input: script(family) });
    }
  }
}
