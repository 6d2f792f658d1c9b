import type { NodeProxy } from "@millrace/core";
import { sortedUnique } from "@millrace/core/internal";
import { findNetns, looseReversePath, requireHostLink, requireNetns, type SysctlChange } from "@millrace/host";
import { link, type Netns } from "linux-ts";
import { requireLift } from "./bridge-lift.ts";
import { askForLink, proxyPort } from "./bridge-of.ts";
import { IptablesError } from "./errors.ts";
import { MAX_SLOTS } from "./marks.ts";
import type { NodeContext } from "./node-context.ts";
import type { SlotIdentity } from "./notes.ts";
import { ensureInside, forgetInside, insideAddresses, leaveInside } from "./proxy-netns.ts";

/** The proxies that packets of this node can be sent to. A slot belongs to a network namespace, not to a name. */
export class ProxySlots {
  readonly #context: NodeContext;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  all(): ReadonlyMap<number, SlotIdentity> {
    return this.#context.notes.slots();
  }

  /** Slots of proxies that are not there any more, for instance since the machine was started anew. */
  gone(): ReadonlyMap<number, SlotIdentity> {
    return new Map(
      [...this.all()].filter(([, identity]) => {
        using netns = netnsOf(identity);
        return netns === undefined;
      }),
    );
  }

  /** Those of them whose interface's name another interface has now: rules that name it take that one's pod for the proxy. */
  misnamed(): ReadonlyMap<number, SlotIdentity> {
    return new Map([...this.all()].filter(([, identity]) => isMisnamed(identity)));
  }

  /** The namespaces of proxies that are still there. The caller closes them. */
  openAll(): Netns[] {
    return [...this.all().values()].flatMap((identity) => netnsOf(identity) ?? []);
  }

  /**
   * Makes a proxy ready to receive and returns its slot; nothing is sent there yet. A slot that cannot be made is taken down again.
   *
   * Throws `ERR_INTERFACE_GONE`, `ERR_HOST_NETWORK_PROXY`, `ERR_PROXY_SLOTS_FULL`, `ERR_FOREIGN_OBJECT`.
   */
  async ensure(proxy: NodeProxy): Promise<number> {
    const { notes } = this.#context;
    using netns = requireProxy(proxy, this.#context.netnsInode);
    const present = [...this.all()].find(([, { netnsInode }]) => netnsInode === netns.inode);
    const index = present?.[0] ?? this.#freeSlot();
    const identity = identityOf(proxy, netns);
    // The number was another namespace's, which is gone: nothing that is noted of that one holds for this one.
    if (present && !isThere(present[1])) this.#forget(...present);
    if (JSON.stringify(present?.[1]) !== JSON.stringify(identity)) notes.setSlot(index, identity);
    try {
      if (present && present[1].device !== identity.device) this.#leaveHost(...present);
      await requireLift(this.#context, [proxyPort(index, identity) ?? []].flat());
      this.#enterHost(identity);
      using opened = new DisposableStack();
      const proxies = this.openAll().map((other) => opened.use(other));
      await ensureInside(this.#context, { netns, identity }, proxies);
    } catch (error) {
      if (!present) await this.retire(index, identity);
      throw error;
    }
    return index;
  }

  /** Takes a slot down after the node's rules have ceased to send to it. What is gone is no hindrance. */
  async retire(index: number, identity: SlotIdentity): Promise<void> {
    using netns = netnsOf(identity);
    if (netns) {
      this.#leaveHost(index, identity);
      await leaveInside(this.#context, { netns, identity });
    } else this.#forget(index, identity);
    this.#context.notes.deleteSlot(index);
  }

  /** Takes down all of a slot but the note of it, for what the proxy has open goes on in the slot's zone. */
  async empty(index: number, identity: SlotIdentity): Promise<void> {
    using netns = netnsOf(identity);
    this.#leaveHost(index, identity);
    if (netns) await leaveInside(this.#context, { netns, identity });
  }

  /** What is different from what it was made on the node's side. */
  hostProblems({ device, hostIndex, hostName }: SlotIdentity): string[] {
    const node = this.#node;
    const found = deviceOf(hostIndex, hostName);
    if (found !== device) return [`packets of interface ${hostName} come in by ${found}, not ${device}`];
    return [
      ...this.#context.journal.drifted(holderOf(device), node),
      ...wantedSysctls(this.#context, device)
        .filter(({ path }) => !path.endsWith("accept_local"))
        .map(({ path }) => `sysctl ${path} is strict`),
    ];
  }

  #enterHost({ device }: SlotIdentity): void {
    this.#context.journal.change(holderOf(device), this.#node, wantedSysctls(this.#context, device));
  }

  #leaveHost(index: number, { device }: SlotIdentity): void {
    if (!this.#isShared(index, device)) this.#context.journal.restore(holderOf(device), this.#node);
  }

  /** Of a proxy that is gone. A bridge is still there; a veth's sysctls went with it, and its name may be another pod's by now. */
  #forget(index: number, identity: SlotIdentity): void {
    const { device, hostName } = identity;
    if (device !== hostName) this.#leaveHost(index, identity);
    else if (!this.#isShared(index, device)) this.#context.journal.abandon(holderOf(device), this.#context.netnsInode);
    forgetInside(this.#context, identity);
  }

  /** Another slot's packets come in by the same interface: a bridge, or one that has the name now. */
  #isShared(index: number, device: string): boolean {
    return [...this.all()].some(([other, identity]) => other !== index && identity.device === device);
  }

  #freeSlot(): number {
    const taken = this.all();
    for (let index = 0; index < MAX_SLOTS; index++) if (!taken.has(index)) return index;
    throw new IptablesError(
      "ERR_PROXY_SLOTS_FULL",
      `all ${MAX_SLOTS} proxy slots are active or draining: wait until a draining proxy's connections have ended`,
    );
  }

  get #node() {
    return { fd: undefined, inode: this.#context.netnsInode };
  }
}

/**
 * The proxy's network namespace, while its veth is there. Inode numbers of namespaces are given out again soon: without the veth, what
 * has the number now may be anybody's. The caller closes it.
 */
export function netnsOf(identity: SlotIdentity): Netns | undefined {
  return isThere(identity) ? findNetns(identity.netns, identity.netnsInode) : undefined;
}

const isThere = ({ hostName, hostIndex }: SlotIdentity): boolean => link(undefined, hostIndex)?.name === hostName;

function isMisnamed({ hostName, hostIndex }: SlotIdentity): boolean {
  const found = link(undefined, hostName);
  return found !== undefined && found.index !== hostIndex;
}

/**
 * The proxy sends in its clients' names, which the node routes elsewhere, and answers in the name of the node's own addresses
 * (net/ipv4/fib_frontend.c, __fib_validate_source(), IN_DEV_ACCEPT_LOCAL).
 */
function wantedSysctls({ netnsInode }: NodeContext, device: string): SysctlChange[] {
  const node = { fd: undefined, inode: netnsInode };
  return [...looseReversePath(node, device), { path: `net/ipv4/conf/${device}/accept_local`, value: "1" }];
}

/** The node's namespace has sysctls of several proxies, so each slot holds its own by the name of its interface. */
const holderOf = (device: string): string => `iptables:node/${device}`;

/** Its network namespace, which the caller closes. Throws `ERR_INTERFACE_GONE`, `ERR_HOST_NETWORK_PROXY`. */
export function requireProxy(proxy: NodeProxy, nodeInode: number): Netns {
  using opened = new DisposableStack();
  const netns = opened.use(requireNetns(proxy.interface));
  if (netns.inode === nodeInode) throw hostNetworkProxy(proxy);
  requireHostLink(proxy.interface);
  opened.move();
  return netns;
}

/** Throws `ERR_INTERFACE_GONE`. */
export function identityOf({ key, name, addresses, interface: pod }: NodeProxy, netns: Netns): SlotIdentity {
  if (link(netns.fd, pod.name) === undefined) {
    throw new IptablesError(
      "ERR_INTERFACE_GONE",
      `the proxy's network namespace has no interface ${pod.name}: wait for its new one`,
    );
  }
  return {
    key,
    name,
    netns: pod.netns,
    netnsInode: pod.netnsInode,
    ifName: pod.name,
    mac: pod.mac,
    hostName: pod.hostName,
    hostIndex: pod.hostIndex,
    device: deviceOf(pod.hostIndex, pod.hostName),
    addresses: sortedUnique([...addresses, ...insideAddresses(netns.fd)]),
  };
}

/** What a pod's packets come in by, as IP sees it: its veth, or the bridge that has it as port. */
export function deviceOf(hostIndex: number, hostName: string, linkOf = askForLink): string {
  const master = linkOf(hostIndex)?.master;
  return (master === undefined ? undefined : linkOf(master)?.name) ?? hostName;
}

function hostNetworkProxy({ namespace, name }: NodeProxy): IptablesError {
  return new IptablesError(
    "ERR_HOST_NETWORK_PROXY",
    `the proxy ${namespace}/${name} uses the node's network (hostNetwork: true): give it a pod network of its own`,
  );
}
