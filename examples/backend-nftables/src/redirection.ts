import { statSync } from "node:fs";
import type * as core from "@millrace/core";
import * as host from "@millrace/core/host";
import * as rules from "./rules.ts";

const { familyOf, INET, listed, NETDEV, proxyName, ROUTING } = rules;
const NODE = { fd: undefined, inode: statSync("/proc/self/ns/net").ino };
/** Who needs a sysctl changed: the journal is shared with other backends. */
const holderOf = (name: string) => `nftables ${name}`;
const stateOf = (problems: readonly string[]) => (problems.length === 0 ? ("complete" as const) : ("partial" as const));

/** Lines that take elements of members out. */
const withoutElements = (held: host.NftReading, which: (element: host.NftElement) => boolean) =>
  ["dev_4", "dev_6", "mac_4", "mac_6"].flatMap((map) => NETDEV.withoutElements(map, held.elements(map).filter(which)));

const elementsOf = ({ uid, addresses, interface: pod }: core.Workload) =>
  addresses.flatMap((one) => [
    ...NETDEV.addElements(`dev_${familyOf(one)}`, [`${one} comment "${uid}" : "${pod.hostName}"`]),
    ...NETDEV.addElements(`mac_${familyOf(one)}`, [`${one} comment "${uid}" : ${pod.mac}`]),
  ]);

/** What a pod has open with others. */
const openOf = (pod: core.PodInterface) => {
  using netns = host.requireNetns(pod);
  return host.openConnections(netns).filter(({ local }) => !/^(127\.|::1$)/.test(local));
};

/** What is older than its enrolment goes by. */
const olderConnections = ({ uid, enrolExisting, interface: pod }: core.Workload, held: host.NftReading) => {
  const begins = enrolExisting === "drain" && !held.owners(/^(from|to)_/).includes(uid);
  return begins ? rules.PASSED.add(openOf(pod), "sent") : [];
};

export class NftablesRedirection implements core.Redirection {
  readonly #policy: core.NodePolicy;
  readonly #sysctls: host.SysctlJournal;
  readonly #workloads = new Map<string, core.Workload>();
  #proxies: core.Proxies = { draining: [] };
  /** Verbs run one after the other, each a transaction that builds on the one before; workloads that wait are in one. */
  readonly #verbs = new host.VerbQueue((changes) => this.#change(changes));

  constructor({ host: { journal }, log, policy }: core.PluginContext<unknown>) {
    this.#sysctls = new host.SysctlJournal(journal, log);
    this.#policy = policy;
  }

  useProxies(proxies: core.Proxies, call: core.Call): Promise<void> {
    return this.#verbs.run(async () => {
      const { draining } = proxies;
      const all = listed(proxies);
      for (const proxy of all) await this.#enter(proxy);
      const held = await NETDEV.read();
      const wanted = rules.proxyChains(proxies, this.#policy);
      const isOld = (name: string) => /^(to_)?z_/.test(name) && !wanted.some((chain) => chain.name === name);
      const gone = [...held.chains.keys()].filter(isOld);
      const addresses = all.flatMap((proxy) => proxy.addresses);
      const links = all.map(({ interface: pod }) => `"${pod.hostName}"`);
      await host.nftTransaction([
        ...rules.SETS,
        ...all.map(rules.connectionsOf).flatMap((own) => [...own.make(), ...(draining[0] ? [] : own.clear())]),
        ...NETDEV.replaceAddresses("proxies", addresses),
        ...INET.replaceElements("links", links),
        ...NETDEV.write(held.differing([...wanted, ...rules.SHARED])),
        ...INET.write((await INET.read()).differing(rules.NODE_CHAINS)),
        ...NETDEV.withoutChains(gone),
        ...gone.filter((name) => name.startsWith("z_")).flatMap((name) => NETDEV.connections(name).remove()),
      ]);
      // From now on their new ones are noted. These are older.
      const older = draining.map((one) => rules.connectionsOf(one).add(openOf(one.interface), "received"));
      await host.nftTransaction(older.flat());
      for (const name of gone) await this.#leave(name, held);
      this.#proxies = proxies;
    }, call);
  }

  useNode({ addresses }: core.NodeFacts, call: core.Call): Promise<void> {
    const lines = [...rules.SETS, ...INET.replaceAddresses("node", addresses)];
    return this.#verbs.run(() => host.nftTransaction(lines), call);
  }

  apply(workload: core.Workload, call: core.Call): Promise<void> {
    return this.#verbs.apply(workload, call);
  }

  remove(uid: string, call: core.Call): Promise<void> {
    return this.#verbs.remove(uid, call);
  }

  observe(call: core.Call): Promise<core.Observation> {
    return this.#verbs.run(async () => {
      const [netdev, inet] = [await NETDEV.read(), await INET.read()];
      const indexes = new Map(host.links().map(({ name, index }) => [name, index]));
      const chains = rules.proxyChains(this.#proxies, this.#policy);
      const shared = [...rules.SHARED, ...chains.filter(({ name }) => !name.includes("z_"))];
      const ofProxy = async (proxy: core.NodeProxy) => {
        const own = chains.filter(({ name }) => name.endsWith(proxyName(proxy)));
        const problems = [...netdev.problems(own), ...(await insideProblems(proxy.interface))].sort();
        const role = proxy === this.#proxies.active ? ("active" as const) : ("draining" as const);
        return { key: proxy.key, role, state: stateOf(problems), problems, foreign: [] };
      };
      return {
        workloads: netdev.owners(/^(from|to)_/).map((uid) => this.#observeWorkload(uid, netdev, indexes)),
        proxies: await Promise.all(listed(this.#proxies).map(ofProxy)),
        problems: [...netdev.problems(shared), ...inet.problems(rules.NODE_CHAINS)].sort(),
        nodeAddresses: inet.addresses("node"),
        counters: { "nftables.dropped": netdev.packets("dropped") },
      };
    }, call);
  }

  uninstall(call: core.Call): Promise<void> {
    return this.#verbs.run(async () => {
      const held = await NETDEV.read();
      for (const name of held.chains.keys()) await this.#leave(name, held);
      await host.nftTransaction([...NETDEV.remove(), ...INET.remove()]);
      this.#sysctls.close();
    }, call);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#verbs.run(async () => undefined);
  }

  async #change({ applied, removed }: host.WorkloadChanges): Promise<void> {
    await Promise.all(applied.map(({ interface: pod }) => host.requireHostLinkAsync(pod)));
    const held = await NETDEV.read();
    const theirs = new Set([...removed, ...applied.flatMap(({ uid, addresses }) => [uid, ...addresses])]);
    await host.nftTransaction([
      ...NETDEV.withoutChains(removed.flatMap(rules.workloadNames).filter((name) => held.chains.has(name))),
      ...NETDEV.write(held.differing(applied.flatMap(rules.workloadChains))),
      // Elements of their own, and those at addresses of their own, whoever had them.
      ...withoutElements(held, ({ key, comment }) => theirs.has(comment) || theirs.has(key)),
      ...applied.flatMap(elementsOf),
      ...applied.flatMap((workload) => olderConnections(workload, held)),
    ]);
    for (const uid of removed) this.#workloads.delete(uid);
    for (const workload of applied) this.#workloads.set(workload.uid, workload);
  }

  #observeWorkload(uid: string, held: host.NftReading, indexes: ReadonlyMap<string, number>): core.WorkloadObservation {
    const workload = this.#workloads.get(uid);
    const names = rules.workloadNames(uid);
    // Of what an earlier run applied only its own sums are known.
    const chains = workload ? held.problems(rules.workloadChains(workload)) : held.changes(names);
    const [addresses = [], others] = ["dev", "mac"].map((map) => held.addresses(map, uid));
    const problems = [...chains, ...(`${addresses}` === `${others}` ? [] : ["its elements differ"])].sort();
    const hostIndex = indexes.get(held.chains.get(names[0] ?? "")?.device ?? "") ?? 0;
    return { uid, state: stateOf(problems), problems, foreign: [], addresses, hostIndex };
  }

  async #enter(proxy: core.NodeProxy): Promise<void> {
    const { interface: pod } = proxy;
    using netns = host.requireNetns(pod);
    // It speaks in the names of others, and what is sent to them is local to it.
    this.#sysctls.change(holderOf(proxyName(proxy)), NODE, host.looseReversePath(NODE, pod.hostName));
    this.#sysctls.change(holderOf(proxyName(proxy)), netns, host.ownArpOnly(netns, pod.name));
    host.ensureRouting({ netns, ifNames: [pod.name] }, ROUTING);
    const place = { netns: netns.fd };
    const chains = (await INET.read(place)).differing(rules.INSIDE);
    if (chains.length > 0) await host.nftTransaction([`add table inet ${rules.TABLE}`, ...INET.write(chains)], place);
  }

  /** The owner of a proxy's chain is its network namespace: inode number and path. */
  async #leave(name: string, held: host.NftReading): Promise<void> {
    const [, inode, path = ""] = /^(\d+)(\/.*)$/.exec(held.chains.get(name)?.owner ?? "") ?? [];
    if (inode === undefined) return;
    using netns = host.openNetnsIfThere(path);
    if (netns?.inode === Number(inode)) {
      await host.nftTransaction(INET.remove(), { netns: netns.fd });
      host.removeRouting(netns, ROUTING);
      this.#sysctls.restore(holderOf(name), netns);
    } else this.#sysctls.forget(Number(inode));
    this.#sysctls.restore(holderOf(name), NODE);
  }
}

/** What is missing in a proxy's network namespace. */
async function insideProblems(pod: core.PodInterface): Promise<string[]> {
  using netns = host.openNetnsIfThere(pod.netns);
  if (netns?.inode !== pod.netnsInode) return ["its network namespace is gone"];
  const held = await INET.read({ netns: netns.fd });
  return [...held.problems(rules.INSIDE), ...host.routingProblems({ netns, ifNames: [pod.name] }, ROUTING)];
}
