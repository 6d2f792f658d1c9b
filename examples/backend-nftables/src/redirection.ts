import type { NodeFacts, NodeProxy, Observation, ObservedState, Proxies, Redirection, Workload } from "@millrace/core";
import { connections, FAMILIES, familyOf, replaceElements, SETS } from "./elements.ts";
import { linkIndexes, Table } from "./kernel.ts";
import { openConnections } from "./open-connections.ts";
import { enterProxy, insideProblems, leaveProxy } from "./proxy-namespace.ts";
import { NODE_CHAINS, proxyChains, proxyName, SHARED, TABLE, uidName, workloadChains, writeChain } from "./rules.ts";
import { Notes, readText, transact } from "./system.ts";

const NONE: Proxies = { draining: [] };
const listed = ({ active, draining }: Proxies) => [...(active === undefined ? [] : [active]), ...draining];
const stateOf = (problems: readonly string[]): ObservedState => (problems.length === 0 ? "complete" : "partial");

export class NftablesRedirection implements Redirection {
  readonly #notes: Notes;
  readonly #workloads = new Map<string, Workload>();
  #proxies: Proxies = NONE;
  /** Verbs run one after the other: each is a transaction that builds on the one before. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(journal: string) {
    this.#notes = new Notes(journal);
  }

  useProxies(proxies: Proxies): Promise<void> {
    return this.#inTurn(async () => {
      const all = listed(proxies);
      for (const proxy of all) {
        this.#notes.enters(proxy.interface.netns);
        await enterProxy(proxy.interface.netns);
        this.#looseReversePath(proxy);
      }
      const held = await Table.read(undefined, "netdev");
      const wanted = proxyChains(proxies);
      const gone = [...held.chains.keys()].filter(
        (name) => /^(to_)?z_/.test(name) && !wanted.some((chain) => chain.name === name),
      );
      const of = (n: 4 | 6) => all.flatMap(({ addresses }) => addresses.filter((address) => familyOf(address) === n));
      await transact(undefined, [
        ...SETS,
        ...all.flatMap((proxy) => FAMILIES.map((n) => connections(`${proxyName(proxy)}_${n}`, n))),
        ...FAMILIES.flatMap((n) => replaceElements("netdev", `proxies${n}`, of(n))),
        ...replaceElements(
          "inet",
          "links",
          all.map(({ interface: { hostName } }) => `"${hostName}"`),
        ),
        ...wanted.map(({ name }) => (name.startsWith("z_") ? "" : `add chain netdev ${TABLE} ${name}`)),
        ...held.differing([...wanted, ...SHARED]).map((chain) => writeChain("netdev", chain)),
        ...(await Table.read(undefined, "inet")).differing(NODE_CHAINS).map((chain) => writeChain("inet", chain)),
        ...gone.map((name) => `flush chain netdev ${TABLE} ${name}`),
        ...gone.map((name) => `delete chain netdev ${TABLE} ${name}`),
        ...gone
          .filter((name) => name.startsWith("z_"))
          .flatMap((name) => FAMILIES.map((n) => `delete set netdev ${TABLE} ${name}_${n}`)),
      ]);
      for (const proxy of listed(this.#proxies))
        if (!all.some(({ key }) => key === proxy.key)) await this.#leave(proxy);
      this.#proxies = proxies;
    });
  }

  useNode({ addresses }: NodeFacts): Promise<void> {
    const of = (n: 4 | 6) => addresses.filter((address) => familyOf(address) === n);
    return this.#inTurn(() =>
      transact(undefined, [...SETS, ...FAMILIES.flatMap((n) => replaceElements("inet", `node${n}`, of(n)))]),
    );
  }

  apply(workload: Workload): Promise<void> {
    return this.#inTurn(async () => {
      const { uid, addresses, enrolExisting, interface: pod } = workload;
      const held = await Table.read(undefined, "netdev");
      const begins = !held.chains.has(`from_${uidName(uid)}`);
      const open = begins && enrolExisting === "drain" ? await openConnections(pod.netns) : [];
      const wanted = FAMILIES.flatMap((n) =>
        addresses
          .filter((address) => familyOf(address) === n)
          .flatMap((address) => [
            { map: `dev${n}`, key: address, value: pod.hostName },
            { map: `mac${n}`, key: address, value: pod.mac },
          ]),
      );
      // An element of ours that is not wanted, or one at an address of ours, whoever had it.
      const stale = ["dev4", "dev6", "mac4", "mac6"].flatMap((map) =>
        held
          .elements(map)
          .filter(
            ({ key, owner, value }) =>
              (owner === uid || addresses.includes(key)) &&
              !wanted.some((one) => one.map === map && one.key === key && one.value === value && owner === uid),
          )
          .map(({ key }) => `delete element netdev ${TABLE} ${map} { ${key} }`),
      );
      const there = (map: string, key: string, value: string) =>
        held.elements(map).some((one) => one.key === key && one.value === value && one.owner === uid);
      await transact(undefined, [
        ...held.differing(workloadChains(workload)).map((chain) => writeChain("netdev", chain)),
        ...stale,
        ...wanted
          .filter(({ map, key, value }) => !there(map, key, value))
          .map(
            ({ map, key, value }) =>
              `add element netdev ${TABLE} ${map} { ${key} comment "${uid}" : ${map.startsWith("dev") ? `"${value}"` : value} }`,
          ),
        ...open.map(({ family, tuple }) => `add element netdev ${TABLE} passed${family} { ${tuple} }`),
      ]);
      this.#workloads.set(uid, workload);
    });
  }

  remove(uid: string): Promise<void> {
    return this.#inTurn(async () => {
      const held = await Table.read(undefined, "netdev");
      const chains = [`from_${uidName(uid)}`, `to_${uidName(uid)}`].filter((name) => held.chains.has(name));
      await transact(undefined, [
        ...chains.flatMap((name) => [`flush chain netdev ${TABLE} ${name}`, `delete chain netdev ${TABLE} ${name}`]),
        ...["dev4", "dev6", "mac4", "mac6"].flatMap((map) =>
          held
            .elements(map)
            .filter(({ owner }) => owner === uid)
            .map(({ key }) => `delete element netdev ${TABLE} ${map} { ${key} }`),
        ),
      ]);
      this.#workloads.delete(uid);
    });
  }

  observe(): Promise<Observation> {
    return this.#inTurn(async () => {
      const [netdev, inet, links] = await Promise.all([
        Table.read(undefined, "netdev"),
        Table.read(undefined, "inet"),
        linkIndexes(),
      ]);
      const uids = new Set(
        [...netdev.chains].filter(([name]) => /^(from|to)_/.test(name)).map(([, { owner }]) => owner),
      );
      const workloads = [...uids].filter((uid) => uid !== "").map((uid) => this.#observeWorkload(uid, netdev, links));
      const inside = await Promise.all(listed(this.#proxies).map(insideProblems));
      const proxies = listed(this.#proxies).map((proxy, index) => {
        const chains = proxyChains(this.#proxies).filter(({ name }) => name.endsWith(proxyName(proxy)));
        const problems = [...problemsOf(netdev.differing(chains)), ...(inside[index] ?? [])];
        const role = proxy === this.#proxies.active ? ("active" as const) : ("draining" as const);
        return { key: proxy.key, role, state: stateOf(problems), problems, foreign: [] };
      });
      const shared = proxyChains(this.#proxies).filter(({ name }) => !name.includes("z_"));
      return {
        workloads,
        proxies,
        problems: problemsOf([...netdev.differing([...SHARED, ...shared]), ...inet.differing(NODE_CHAINS)]),
        nodeAddresses: FAMILIES.flatMap((n) => inet.elements(`node${n}`).map(({ key }) => key)).sort(),
        counters: { "nftables.dropped": netdev.counter("dropped") },
      };
    });
  }

  uninstall(): Promise<void> {
    return this.#inTurn(async () => {
      for (const netns of this.#notes.namespaces) await leaveProxy(netns);
      await transact(
        undefined,
        ["netdev", "inet"].flatMap((family) => [`add table ${family} ${TABLE}`, `delete table ${family} ${TABLE}`]),
      );
      this.#notes.restoreSysctls(() => true);
      this.#notes.remove();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
  }

  #observeWorkload(uid: string, held: Table, links: ReadonlyMap<string, number>) {
    const workload = this.#workloads.get(uid);
    const names = [`from_${uidName(uid)}`, `to_${uidName(uid)}`];
    const broken =
      workload === undefined
        ? names.filter((name) => held.chains.get(name)?.sum === undefined)
        : held.differing(workloadChains(workload)).map(({ name }) => name);
    const addresses = FAMILIES.flatMap((n) =>
      held
        .elements(`dev${n}`)
        .filter(({ owner }) => owner === uid)
        .map(({ key }) => key),
    ).sort();
    const macs = FAMILIES.flatMap((n) =>
      held
        .elements(`mac${n}`)
        .filter(({ owner }) => owner === uid)
        .map(({ key }) => key),
    ).sort();
    const problems = [
      ...broken.map((name) => `chain ${name} is not as it was written`),
      ...(macs.join() === addresses.join() ? [] : ["its elements differ"]),
    ];
    const hostIndex = links.get(held.chains.get(names[0] ?? "")?.device ?? "") ?? 0;
    return { uid, state: stateOf(problems), problems, foreign: [], addresses, hostIndex };
  }

  /** A proxy speaks in the names of others. */
  #looseReversePath({ interface: { hostName } }: NodeProxy): void {
    const [all, own] = ["all", hostName].map((name) => Number(readText(`/proc/sys/net/ipv4/conf/${name}/rp_filter`)));
    if (Math.max(all ?? 0, own ?? 0) === 1) this.#notes.setSysctl(`/proc/sys/net/ipv4/conf/${hostName}/rp_filter`, "2");
  }

  async #leave(proxy: NodeProxy): Promise<void> {
    if (this.#notes.namespaces.includes(proxy.interface.netns)) await leaveProxy(proxy.interface.netns);
    this.#notes.left(proxy.interface.netns);
    this.#notes.restoreSysctls((path) => path.includes(`/${proxy.interface.hostName}/`));
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work, work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

const problemsOf = (chains: readonly { readonly name: string }[]) =>
  chains.map(({ name }) => `chain ${name} is not as it was written`).sort();
