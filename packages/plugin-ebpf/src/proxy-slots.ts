import { join } from "node:path";
import type { NodeProxy } from "@millrace/core";
import { errorMessage } from "@millrace/core/internal";
import {
  ensureRouting,
  looseReversePath,
  noForwarding,
  ownArpOnly,
  ownSourcePorts,
  removeRouting,
  requireHostLink,
  requireNetns,
} from "@millrace/host";
import { link, links, type Netns, netnsId } from "linux-ts";
import { ensureDnsRules, removeDnsRules } from "./dns-rules.ts";
import { EbpfError, explainFailure } from "./errors.ts";
import { MAX_PROXIES, PROXY_DNS, WORKLOAD_DNS } from "./layout.ts";
import { type LoadedObject, loadOrAdopt } from "./load-object.ts";
import type { NodeKernel } from "./node-kernel.ts";
import { makeDirectory, removePins } from "./pins.ts";
import { proxyPlace } from "./places.ts";
import { detachLookup, ensureLookup } from "./sk-lookup-link.ts";
import {
  dnsNote,
  hostHolder,
  hostHook,
  identityOf,
  innerHook,
  lostIdentity,
  type NamedSlot,
  netnsOf,
  readIdentity,
  readRouting,
  type Slot,
  type SlotIdentity,
  SYSCTL_HOLDER,
  writeIdentity,
  writeRouting,
} from "./slot-identity.ts";

/**
 * The proxies that the node's programs can send to, each in a slot of the map `proxies`. A slot belongs to a network namespace, not to
 * a name: what makes redirected packets arrive there exists once per namespace.
 */
export class ProxySlots {
  readonly #kernel: NodeKernel;

  constructor(kernel: NodeKernel) {
    this.#kernel = kernel;
  }

  /** The network namespaces of the proxies that are still there. The caller closes them. */
  openAll(): Netns[] {
    return this.all().flatMap(({ identity }) => (identity && netnsOf(identity)) ?? []);
  }

  all(): Slot[] {
    const { pins, maps } = this.#kernel;
    return pins.proxySlots().map((index) => {
      const directory = pins.proxy(index);
      return { index, directory, identity: readIdentity(directory) ?? lostIdentity(maps.proxy(index)) };
    });
  }

  /**
   * Makes everything ready to receive a proxy's traffic and returns its slot; nothing is sent there yet. A slot that cannot be made
   * is taken down again. Packets already flowing are not disturbed by doing it again.
   *
   * Throws `ERR_INTERFACE_GONE`, `ERR_HOST_NETWORK_PROXY`, `ERR_PROXY_SLOTS_FULL`, `ERR_FOREIGN_OBJECT`, `ERR_MAP_FULL`.
   */
  async ensure(proxy: NodeProxy): Promise<number> {
    const { pins } = this.#kernel;
    using netns = requireProxy(proxy, this.#kernel.netnsInode);
    const present = this.all().find(({ identity }) => identity?.netnsInode === netns.inode);
    const index = present?.index ?? this.#freeSlot();
    const slot = { index, directory: pins.proxy(index), identity: identityOf(proxy) };
    try {
      if (present?.identity && present.identity.hostIndex !== slot.identity.hostIndex)
        await this.#leaveHost(present, present.identity);
      await this.#build(slot, netns);
    } catch (error) {
      if (!present) await this.retire(slot);
      throw explainFailure(`preparing the proxy ${proxy.namespace}/${proxy.name}`, error);
    }
    return index;
  }

  /** Whether any member's DNS is captured. */
  wantsDns(): boolean {
    return [...this.#kernel.maps.workloads.entries()].some(([, { flags }]) => flags & WORKLOAD_DNS);
  }

  /** Makes every proxy take members' DNS; returns what kept one from it. */
  async takeDns(): Promise<unknown> {
    const { maps } = this.#kernel;
    // While some member's DNS is captured, observing finds rules that are lost; before the first one nobody looked.
    const isLookedAfter = this.wantsDns();
    let refused: unknown;
    for (const slot of this.all()) {
      const { index, identity } = slot;
      const entry = maps.proxy(index);
      if (!identity || entry.ifindex === 0 || (isLookedAfter && entry.flags & PROXY_DNS)) continue;
      using netns = netnsOf(identity);
      if (!netns) continue;
      try {
        await ensureDnsRules({ netns, ifName: identity.ifName, note: dnsNote(slot) });
        maps.writeProxy(index, { ...entry, flags: entry.flags | PROXY_DNS });
      } catch (error) {
        refused = error;
      }
    }
    return refused;
  }

  /** Takes a slot down, after ending what is sent to it. What is gone is no hindrance. */
  async retire(slot: Slot): Promise<void> {
    const { config, hooks, maps, journal } = this.#kernel;
    const { identity } = slot;
    this.#stopSending(slot.index);
    maps.writeProxy(slot.index, { ifindex: 0, netnsid: 0, mac: "00:00:00:00:00:00", flags: 0 });
    if (identity) {
      await this.#leaveHost(slot, identity);
      using netns = netnsOf(identity);
      const inner = netns && link(netns.fd, identity.ifName);
      if (netns && inner) await hooks.detach(innerHook({ ...slot, identity }, netns.fd, inner.index));
      detachLookup(slot);
      if (netns) {
        await removeDnsRules({ netns, note: dnsNote(slot) });
        for (const routing of [readRouting(slot), config.routing]) if (routing) removeRouting(netns, routing);
        journal.restore(SYSCTL_HOLDER, netns);
      } else {
        journal.forget(identity.netnsInode);
      }
    }
    removePins(slot.directory);
  }

  /** After a restart: brings the programs of a slot up to this version; a slot that was never finished is taken down. */
  async adopt(slot: Slot): Promise<void> {
    const { maps, hooks, object, log } = this.#kernel;
    const { identity } = slot;
    using netns = identity && netnsOf(identity);
    const inner = identity && netns && link(netns.fd, identity.ifName);
    if (!identity || !netns || !inner || maps.proxy(slot.index).ifindex === 0) {
      log.info({ slot: slot.index, proxy: identity?.name }, "clearing away a proxy that is gone or was half prepared");
      await this.retire(slot);
      return;
    }
    using proxyObject = this.#loadObject(slot.directory);
    for (const hook of [hostHook({ ...slot, identity }), innerHook({ ...slot, identity }, netns.fd, inner.index)]) {
      const program =
        hook.program === "ztunnel_host_in" ? object.program(hook.program) : proxyObject.program(hook.program);
      if (hooks.inspect(hook).programId !== undefined) await hooks.ensure(hook, program);
    }
    ensureLookup(slot, proxyObject, netns);
  }

  async #build(slot: NamedSlot, netns: { readonly fd: number; readonly inode: number }): Promise<void> {
    const { config, hooks, object, maps, journal } = this.#kernel;
    const { identity, directory } = slot;
    const inner = requireInner(netns.fd, identity);
    for (const part of ["host", "inner"]) makeDirectory(join(directory, "links", part));
    writeIdentity(slot);

    const interfaces = links(netns.fd).map(({ name }) => name);
    using opened = new DisposableStack();
    const proxies = this.openAll().map((proxy) => opened.use(proxy));
    journal.change(hostHolder(identity), this.#node, looseReversePath(this.#node, identity.hostName));
    journal.change(SYSCTL_HOLDER, netns, [
      ...looseReversePath(netns, identity.ifName),
      ...ownArpOnly(netns, identity.ifName),
      ...noForwarding(netns, identity.ifName, interfaces),
      ...ownSourcePorts(journal, netns, proxies),
    ]);
    const routedBefore = readRouting(slot);
    ensureRouting({ netns, ifNames: [identity.ifName] }, config.routing);
    if (routedBefore && routedBefore.table !== config.routing.table) removeRouting(netns, routedBefore);
    writeRouting(slot, config.routing);

    using proxyObject = this.#loadObject(directory);
    ensureLookup(slot, proxyObject, netns);
    await hooks.ensure(innerHook(slot, netns.fd, inner.index), proxyObject.program("ztunnel_tproxy"));
    await hooks.ensure(hostHook(slot), object.program("ztunnel_host_in"));

    const entry = { ...wayTo(slot, netns, inner), flags: await this.#dnsFlag(slot, netns) };
    if (JSON.stringify(maps.proxy(slot.index)) !== JSON.stringify(entry)) maps.writeProxy(slot.index, entry);
  }

  /** PROXY_DNS when a member's DNS is captured and the rules for it are there. Without them TCP is captured none the less. */
  async #dnsFlag(slot: NamedSlot, netns: { readonly fd: number }): Promise<number> {
    if (!this.wantsDns()) return 0;
    try {
      await ensureDnsRules({ netns, ifName: slot.identity.ifName, note: dnsNote(slot) });
      return PROXY_DNS;
    } catch (error) {
      const { log } = this.#kernel;
      log.error(
        { proxy: slot.identity.name, error: errorMessage(error) },
        "members' DNS is dropped: the proxy has no rules for it",
      );
      return 0;
    }
  }

  async #leaveHost(slot: Slot, identity: SlotIdentity): Promise<void> {
    await this.#kernel.hooks.detach(hostHook({ ...slot, identity }));
    this.#kernel.journal.restore(hostHolder(identity), this.#node);
  }

  #stopSending(index: number): void {
    const { maps } = this.#kernel;
    const { active, draining, flags } = maps.settings();
    const next = { active: active === index + 1 ? 0 : active, draining: draining & ~(1 << index), flags };
    if (next.active !== active || next.draining !== draining) maps.writeSettings(next);
  }

  #loadObject(directory: string): LoadedObject {
    const { object, log } = this.#kernel;
    return loadOrAdopt(proxyPlace(directory, object.maps), log);
  }

  #freeSlot(): number {
    const taken = this.#kernel.pins.proxySlots();
    for (let index = 0; index < MAX_PROXIES; index++) if (!taken.includes(index)) return index;
    throw new EbpfError(
      "ERR_PROXY_SLOTS_FULL",
      `all ${MAX_PROXIES} proxy slots are active or draining: wait until a draining proxy's connections have ended`,
    );
  }

  get #node() {
    return { fd: undefined, inode: this.#kernel.netnsInode };
  }
}

/** Its network namespace, which the caller closes. Throws `ERR_INTERFACE_GONE`, `ERR_HOST_NETWORK_PROXY`. */
export function requireProxy(proxy: NodeProxy, nodeInode: number): Netns {
  using opened = new DisposableStack();
  const netns = opened.use(requireNetns(proxy.interface));
  if (netns.inode === nodeInode) throw hostNetworkProxy(proxy);
  requireHostLink(proxy.interface);
  opened.move();
  return netns;
}

/** What the programs have to know of a proxy. */
export function wayTo(
  { identity }: NamedSlot,
  netns: { readonly fd: number },
  inner = requireInner(netns.fd, identity),
) {
  const netnsid = netnsId(netns.fd, { assign: true });
  if (netnsid === undefined) {
    throw new EbpfError("ERR_KERNEL", `the kernel gave the network namespace of proxy ${identity.name} no id`);
  }
  return { ifindex: identity.hostIndex, netnsid, mac: inner.mac };
}

function requireInner(netns: number, { ifName }: SlotIdentity) {
  const inner = link(netns, ifName);
  if (inner) return inner;
  throw new EbpfError(
    "ERR_INTERFACE_GONE",
    `the proxy's network namespace has no interface ${ifName}: wait for its new one`,
  );
}

function hostNetworkProxy({ namespace, name }: NodeProxy): EbpfError {
  return new EbpfError(
    "ERR_HOST_NETWORK_PROXY",
    `the proxy ${namespace}/${name} uses the node's network (hostNetwork: true): give it a pod network of its own`,
  );
}
