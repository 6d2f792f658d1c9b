import type { Observation, Proxies, Redirection, Workload } from "@millrace/core";
import { KeyedMutex, type runProgram } from "@millrace/core/host";
import { MARK, membersIn, nodeRules, PROXY_RULES, ROUTES, TABLE } from "./rules.ts";

/** How programs are run: `runProgram` of `@millrace/core/host` on a node, that of a `FakeHost` in unit tests. */
type Run = typeof runProgram;

const nft = (run: Run, rules: string, netns?: string) =>
  run(["nft", "-f", "-"], { input: rules, ...(netns !== undefined && { netns }) });

/** Level-triggered: each verb is told all that is wanted of its subject, and may be called again at any time. */
export class MyRedirection implements Redirection {
  readonly #members = new Map<string, Workload>();
  readonly #mutex = new KeyedMutex();
  #proxies: Proxies = { draining: [] };
  #node: readonly string[] = [];
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }

  useProxies(proxies: Proxies): Promise<void> {
    return this.#mutex.run("", async () => {
      if (proxies.active !== undefined) await enter(this.#run, proxies.active.interface.netns);
      this.#proxies = proxies;
      await this.#write();
    });
  }

  async useNode({ addresses }: { readonly addresses: readonly string[] }): Promise<void> {
    this.#node = addresses;
  }

  apply(workload: Workload): Promise<void> {
    return this.#mutex.run("", async () => {
      this.#members.set(workload.uid, workload);
      await this.#write();
    });
  }

  remove(uid: string): Promise<void> {
    return this.#mutex.run("", async () => {
      if (this.#members.delete(uid)) await this.#write();
    });
  }

  /** Reads from the kernel, never from memory: what is not there is not complete. */
  observe(): Promise<Observation> {
    return this.#mutex.run("", async () => {
      const printed = await this.#run(["nft", "list", "ruleset"]);
      const known = [...this.#members.values()];
      const there = new Set(membersIn(printed, known));
      const { active } = this.#proxies;
      const isLed = printed.includes("chain from_proxy {");
      return {
        workloads: known.map((workload) => ({
          uid: workload.uid,
          state: there.has(workload) ? ("complete" as const) : ("partial" as const),
          problems: there.has(workload) ? [] : ["its chains are missing"],
          foreign: [],
          addresses: workload.addresses,
          hostIndex: workload.interface.hostIndex,
        })),
        proxies:
          active === undefined
            ? []
            : [
                {
                  key: active.key,
                  role: "active" as const,
                  state: isLed ? ("complete" as const) : ("partial" as const),
                  problems: isLed ? [] : ["its chain is missing"],
                  foreign: [],
                },
              ],
        problems: [],
        nodeAddresses: this.#node,
        counters: {},
      };
    });
  }

  uninstall(): Promise<void> {
    return this.#mutex.run("", async () => {
      const { active } = this.#proxies;
      if (active !== undefined) await leave(this.#run, active.interface.netns);
      await nft(this.#run, `add table netdev ${TABLE}\ndelete table netdev ${TABLE}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What is in the kernel goes on redirecting.
  }

  async #write(): Promise<void> {
    await nft(this.#run, nodeRules([...this.#members.values()], this.#proxies.active));
  }
}

const ROUTING = ["-4", "-6"].flatMap((family) => [
  { family, kind: "rule", what: ["fwmark", MARK, "lookup", ROUTES, "priority", "70"] },
  { family, kind: "route", what: ["local", "default", "dev", "lo", "table", ROUTES] },
]);

async function enter(run: Run, netns: string): Promise<void> {
  await nft(run, PROXY_RULES, netns);
  for (const { family, kind, what } of ROUTING) {
    const there = await run(
      ["ip", family, kind, "show", ...(kind === "rule" ? ["priority", "70"] : ["table", "all"])],
      { netns },
    );
    if (!there.includes(kind === "rule" ? `lookup ${ROUTES}` : `table ${ROUTES}`))
      await run(["ip", family, kind, "add", ...what], { netns });
  }
}

async function leave(run: Run, netns: string): Promise<void> {
  await nft(run, `add table inet ${TABLE}\ndelete table inet ${TABLE}`, netns);
  for (const { family, kind, what } of ROUTING) await run(["ip", family, kind, "del", ...what], { netns });
}
