import { existsSync, readFileSync, statSync } from "node:fs";
import type * as core from "@millrace/core";
import { KeyedMutex, requireHostLink, SysctlJournal } from "@millrace/core/host";
import { openConnections, program, replaceElements, Table, transact, writeChains } from "./kernel.ts";
import { enterProxy, insideProblems, leaveProxy } from "./proxy-namespace.ts";
import * as rules from "./rules.ts";

const { TABLE, listed, proxyName } = rules;
const NODE = { fd: undefined, inode: statSync("/proc/self/ns/net").ino };
const stateOf = (problems: readonly string[]) => (problems.length === 0 ? ("complete" as const) : ("partial" as const));
const removeChain = (name: string) => [`flush chain netdev ${TABLE} ${name}`, `delete chain netdev ${TABLE} ${name}`];
const removeFlows = (name: string) => ["4", "6"].map((n) => `delete set netdev ${TABLE} ${name}_${n}`);
const replaceAddresses = (family: string, set: string, all: readonly string[]) =>
  ["4", "6"].flatMap((n) =>
    replaceElements(
      family,
      `${set}_${n}`,
      all.filter((one) => rules.familyOf(one) === n),
    ),
  );

export class NftablesRedirection implements core.Redirection {
  readonly #sysctls: SysctlJournal;
  readonly #workloads = new Map<string, core.Workload>();
  #proxies: core.Proxies = { draining: [] };
  /** Verbs run one after the other: each is a transaction that builds on the one before. */
  readonly #mutex = new KeyedMutex();

  constructor({ host, log }: core.PluginContext<unknown>) {
    this.#sysctls = new SysctlJournal(`${host.journal}/nftables`, log);
  }

  useProxies(proxies: core.Proxies): Promise<void> {
    return this.#mutex.run("", async () => {
      const all = listed(proxies);
      for (const proxy of all) await this.#enter(proxy);
      const held = await Table.read("netdev");
      const wanted = rules.proxyChains(proxies);
      const gone = held.names(/^(to_)?z_/).filter((name) => !wanted.some((chain) => chain.name === name));
      const owners = gone.map((name) => [name, held.chains.get(name)?.owner ?? ""] as const);
      const links = all.map(({ interface: pod }) => `"${pod.hostName}"`);
      await transact([
        ...rules.SETS,
        ...all.flatMap((proxy) => rules.lines(rules.connections(proxyName(proxy)))),
        ...replaceAddresses(
          "netdev",
          "proxies",
          all.flatMap((proxy) => proxy.addresses),
        ),
        ...replaceElements("inet", "links", links),
        ...writeChains("netdev", held.differing([...wanted, ...rules.SHARED])),
        ...writeChains("inet", (await Table.read("inet")).differing(rules.NODE_CHAINS)),
        ...gone.flatMap(removeChain),
        ...gone.filter((name) => name.startsWith("z_")).flatMap(removeFlows),
      ]);
      for (const [name, owner] of owners) await this.#leave(name, owner);
      this.#proxies = proxies;
    });
  }

  useNode(node: core.NodeFacts): Promise<void> {
    return this.#mutex.run("", () => transact([...rules.SETS, ...replaceAddresses("inet", "node", node.addresses)]));
  }

  apply(workload: core.Workload): Promise<void> {
    return this.#mutex.run("", async () => {
      requireHostLink(workload.interface);
      const { uid, addresses, enrolExisting, interface: pod } = workload;
      const held = await Table.read("netdev");
      const begins = enrolExisting === "drain" && held.uids.every((other) => other !== uid);
      const open = begins ? await openConnections(pod.netns) : [];
      const add = (map: string, value: string) =>
        addresses.map(
          (one) => `add element netdev ${TABLE} ${map}_${rules.familyOf(one)} { ${one} comment "${uid}" : ${value} }`,
        );
      await transact([
        ...writeChains("netdev", held.differing(rules.workloadChains(workload))),
        // An element of its own, and one at an address of its own, whoever had it.
        ...held.withoutElements(({ key, owner }) => owner === uid || addresses.includes(key)),
        ...add("dev", `"${pod.hostName}"`),
        ...add("mac", pod.mac),
        ...open.map(({ family, tuple }) => `add element netdev ${TABLE} passed_${family} { ${tuple} }`),
      ]);
      this.#workloads.set(uid, workload);
    });
  }

  remove(uid: string): Promise<void> {
    return this.#mutex.run("", async () => {
      const held = await Table.read("netdev");
      const chains = rules.workloadNames(uid).filter((name) => held.chains.has(name));
      await transact([...chains.flatMap(removeChain), ...held.withoutElements(({ owner }) => owner === uid)]);
      this.#workloads.delete(uid);
    });
  }

  observe(): Promise<core.Observation> {
    return this.#mutex.run("", async () => {
      const [netdev, inet] = [await Table.read("netdev"), await Table.read("inet")];
      const links = [...(await program(["ip", "-o", "link"])).matchAll(/^(\d+): ([^@:]+)/gm)];
      const indexes = new Map(links.map(([, index, name]) => [name, Number(index)]));
      const chains = rules.proxyChains(this.#proxies);
      const ofProxy = async (proxy: core.NodeProxy) => {
        const own = netdev.problems(chains.filter(({ name }) => name.endsWith(proxyName(proxy))));
        const problems = [...own, ...(await insideProblems(proxy.interface.netns))];
        const role = proxy === this.#proxies.active ? ("active" as const) : ("draining" as const);
        return { key: proxy.key, role, state: stateOf(problems), problems, foreign: [] };
      };
      const shared = [...rules.SHARED, ...chains.filter(({ name }) => !name.includes("z_"))];
      return {
        workloads: netdev.uids.map((uid) => this.#observeWorkload(uid, netdev, indexes)),
        proxies: await Promise.all(listed(this.#proxies).map(ofProxy)),
        problems: [...netdev.problems(shared), ...inet.problems(rules.NODE_CHAINS)].sort(),
        nodeAddresses: ["node_4", "node_6"].flatMap((set) => inet.elements(set).map(({ key }) => key)).sort(),
        counters: { "nftables.dropped": netdev.counter("dropped") },
      };
    });
  }

  uninstall(): Promise<void> {
    return this.#mutex.run("", async () => {
      for (const [name, { owner }] of (await Table.read("netdev")).chains) await this.#leave(name, owner);
      await transact(
        ["netdev", "inet"].flatMap((one) => [`add table ${one} ${TABLE}`, `delete table ${one} ${TABLE}`]),
      );
      this.#sysctls.close();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#mutex.run("", async () => undefined);
  }

  #observeWorkload(
    uid: string,
    held: Table,
    indexes: ReadonlyMap<string | undefined, number>,
  ): core.WorkloadObservation {
    const workload = this.#workloads.get(uid);
    const names = rules.workloadNames(uid);
    // Of what an earlier run applied only its own sums are known.
    const changed = names
      .filter((name) => held.chains.get(name)?.sum === undefined)
      .map((name) => `chain ${name} was changed`);
    const addresses = held.addressesOf(uid, "dev");
    const elements = `${addresses}` === `${held.addressesOf(uid, "mac")}` ? [] : ["its elements differ"];
    const problems = [...(workload ? held.problems(rules.workloadChains(workload)) : changed), ...elements].sort();
    const hostIndex = indexes.get(held.chains.get(names[0] ?? "")?.device) ?? 0;
    return { uid, state: stateOf(problems), problems, foreign: [], addresses, hostIndex };
  }

  async #enter(proxy: core.NodeProxy): Promise<void> {
    const { netns, hostName } = proxy.interface;
    const filter = (name: string) => `net/ipv4/conf/${name}/rp_filter`;
    const present = ["all", hostName].map((name) => Number(readFileSync(`/proc/sys/${filter(name)}`, "utf8")));
    // It speaks in the names of others, which a strict filter drops; the larger of both counts (Documentation/networking/ip-sysctl.rst).
    if (Math.max(...present) === 1)
      this.#sysctls.change(proxyName(proxy), NODE, [{ path: filter(hostName), value: "2" }]);
    await enterProxy(netns);
  }

  /** `owner` of a proxy's chain is the file of its network namespace. */
  async #leave(name: string, owner: string): Promise<void> {
    if (!name.startsWith("z_")) return;
    if (existsSync(owner)) await leaveProxy(owner);
    this.#sysctls.restore(name, NODE);
  }
}
