import type { AdminClient } from "../admin/admin-client.ts";
import type { Status } from "../status/status-document.ts";

/** How old the names may be when an address is met that has none. */
export const STALE_MS = 5_000;

/** The pods of this node by address, as the agent knows them. */
export class PodNames {
  readonly #client: Pick<AdminClient, "status">;
  #names = new Map<string, string>();
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(client: Pick<AdminClient, "status">) {
    this.#client = client;
  }

  /** Throws what asking the agent does. */
  async read(): Promise<void> {
    this.#readAt = performance.now();
    this.#names = namesOf(await this.#client.status());
  }

  /** Asks the agent once more if the last answer is some seconds old and lacks one of these. Throws what asking does. */
  async learn(addresses: readonly string[]): Promise<void> {
    if (performance.now() - this.#readAt < STALE_MS) return;
    if (addresses.some((address) => !this.#names.has(address))) await this.read();
  }

  /** `namespace/name`; undefined for what is no pod of this node. */
  of(address: string): string | undefined {
    return this.#names.get(address);
  }

  /** The addresses of a pod by `namespace/name`, as of the last answer. */
  addressesOf(pod: string): string[] {
    return [...this.#names].flatMap(([address, name]) => (name === pod ? [address] : []));
  }
}

function namesOf({ workloads, proxies }: Status): Map<string, string> {
  const pods = [...workloads, ...proxies];
  return new Map(pods.flatMap(({ namespace, name, addresses }) => addresses.map((at) => [at, `${namespace}/${name}`])));
}
