import type { Observation, Proxies, Redirection, Workload } from "@millrace/core";
import type { Placement } from "@millrace/core/internal";
import { silentLogger } from "@millrace/core/internal";
import { beforeEach, describe, expect, test } from "vitest";
import type { Logger } from "../logging/logger.ts";
import { SwitchingRedirection } from "./switching-redirection.ts";

const WEB: Workload = {
  uid: "uid-web",
  namespace: "shop",
  name: "web",
  addresses: ["198.18.1.11"],
  interface: {
    netns: "/run/netns/web",
    netnsInode: 1,
    name: "eth0",
    mac: "02:00:00:00:00:01",
    hostName: "veth1",
    hostIndex: 7,
  },
  enrolExisting: "drain",
  dnsCapture: false,
  exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
};
const NONE: Proxies = { draining: [] };

/** Remembers its workloads; what it is asked goes into `said`. */
class Backend implements Redirection {
  readonly workloads = new Map<string, Workload>();
  problems: string[] = [];
  proxies: Observation["proxies"] = [];
  unreadable: Error | undefined;
  declare observeWorkloads?: NonNullable<Redirection["observeWorkloads"]>;
  declare handOver?: NonNullable<Redirection["handOver"]>;
  declare carryOn?: NonNullable<Redirection["carryOn"]>;
  declare withdraw?: NonNullable<Redirection["withdraw"]>;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }
  async useProxies(): Promise<void> {
    said.push(`${this.#name} proxies`);
  }
  async useNode(): Promise<void> {
    said.push(`${this.#name} node`);
  }
  async apply(workload: Workload): Promise<void> {
    said.push(`${this.#name} apply ${workload.enrolExisting}${"placement" in workload ? " placed" : ""}`);
    this.workloads.set(workload.uid, workload);
  }
  async remove(uid: string): Promise<void> {
    said.push(`${this.#name} remove`);
    this.workloads.delete(uid);
  }
  async observe(): Promise<Observation> {
    if (this.unreadable !== undefined) throw this.unreadable;
    const workloads = [...this.workloads.values()].map(({ uid, addresses }) => ({
      uid,
      state: "complete" as const,
      problems: [],
      foreign: [],
      addresses,
      hostIndex: 7,
    }));
    return {
      workloads,
      proxies: this.proxies,
      problems: this.problems,
      nodeAddresses: [],
      counters: { [`${this.#name}.x`]: 1 },
      maps: { [`${this.#name}.m`]: { entries: 1, max: 9 } },
    };
  }
  async uninstall(): Promise<void> {
    said.push(`${this.#name} uninstall`);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    said.push(`${this.#name} close`);
  }
}

let said: string[];
let used: Set<string>;
let a: Backend;
let b: Backend;
let node: SwitchingRedirection;

beforeEach(async () => {
  said = [];
  used = new Set(["a"]);
  a = new Backend("a");
  b = new Backend("b");
  node = new SwitchingRedirection({
    serving: "a",
    redirection: a,
    open: async (name) => {
      said.push(`open ${name}`);
      return name === "b" ? b : a;
    },
    used: {
      names: () => [...used],
      noted: (name, open) => {
        used.add(name);
        said.push(`note ${name}`);
        return open();
      },
      forget: (name) => {
        used.delete(name);
        said.push(`forget ${name}`);
      },
    },
    log: silentLogger as unknown as Logger,
  });
  await node.useNode({ addresses: [] });
  said = [];
});

const place = (placement: Placement) => node.apply({ ...WEB, placement });

test("the one that joins is noted before anything of it is in the kernel, and knows the node before the proxies", async () => {
  await node.useProxies({ ...NONE, placement: { on: "a", joins: "b" } } as Proxies);
  expect(said).toEqual(["note b", "open b", "b node", "b proxies", "a proxies"]);
});

test("without a placement everything goes to the one that serves", async () => {
  await node.useProxies(NONE);
  await node.apply(WEB);
  expect(said).toEqual(["a proxies", "a apply drain"]);
});

test("some workloads alone are read where there is one backend and it can; else they are picked out of everything", async () => {
  await node.apply(WEB);
  const uids = new Set([WEB.uid]);
  expect(await node.observeWorkloads(uids)).toMatchObject([{ uid: WEB.uid, problems: [] }]);
  expect(await node.observeWorkloads(new Set(["uid-other"]))).toEqual([]);
  a.observeWorkloads = async () => [];
  expect(await node.observeWorkloads(uids)).toEqual([]);
  await node.useProxies({ ...NONE, placement: { on: "a", joins: "b" } } as Proxies);
  await b.apply(WEB);
  expect(await node.observeWorkloads(uids)).toMatchObject([{ problems: ["is redirected by b too"] }]);
});

describe("a switch", () => {
  beforeEach(async () => {
    await node.apply(WEB);
    await node.useProxies({ ...NONE, placement: { on: "a", joins: "b" } } as Proxies);
    said = [];
  });

  test("the one that joins is opened once", async () => {
    await node.useProxies({ ...NONE, placement: { on: "a", joins: "b" } } as Proxies);
    expect(said).toEqual(["b node", "b proxies", "a proxies"]);
    expect(node.serving).toBe("a");
  });

  test("what an agent before this one has left is opened to be taken away", async () => {
    const next = new SwitchingRedirection({
      serving: "a",
      redirection: a,
      open: async () => b,
      used: {
        names: () => ["a", "b"],
        noted: (_, opening) => opening(),
        forget: (name) => said.push(`forget ${name}`),
      },
      log: silentLogger as unknown as Logger,
    });
    await next.apply({ ...WEB, placement: { on: "a", leaves: "b" } } as Workload);
    await next.useProxies({ ...NONE, placement: { on: "a", leaves: "b" } } as Proxies);
    expect(said).toEqual(["a apply drain", "b remove", "a proxies", "b uninstall", "forget b", "b close"]);
  });

  test("joining lets nothing by that is older, leaving carries on before it lets go", async () => {
    await place({ on: "a", joins: "b" });
    expect(said).toEqual(["a apply drain", "b apply reset"]);
    said = [];
    b.carryOn = async () => void said.push("b carries on");
    await place({ on: "b", leaves: "a" });
    expect(said).toEqual(["b apply drain", "b carries on", "a remove"]);
    said = [];
    a.handOver = async (_, carryOn) => {
      said.push("a passes");
      await carryOn();
      said.push("a lets go");
    };
    await place({ on: "b", leaves: "a" });
    expect(said).toEqual(["b apply drain", "a passes", "b carries on", "a lets go"]);
  });

  test("in the end the former one is uninstalled and forgotten", async () => {
    await node.useProxies({ ...NONE, placement: { on: "b", leaves: "a" } } as Proxies);
    expect(said).toEqual(["b proxies", "a uninstall", "forget a", "a close"]);
    expect(node.serving).toBe("b");
    said = [];
    await node.useProxies(NONE);
    expect(said).toEqual(["b proxies"]);
  });

  test("one that stands by is asked again when the proxies change, and forgotten when nothing is left", async () => {
    let left: "gone" | "standby" = "standby";
    a.withdraw = async () => left;
    await node.useProxies({ ...NONE, placement: { on: "b", leaves: "a" } } as Proxies);
    expect([node.standby, said]).toEqual([["a"], ["b proxies"]]);
    left = "gone";
    await node.useProxies(NONE);
    expect([node.standby, said]).toEqual([[], ["b proxies", "b proxies", "forget a", "a close"]]);
  });

  test("an observation tells who is missing, and who has what another one is to have", async () => {
    const problems = async () => (await node.observe()).workloads.map((workload) => workload.problems);
    await place({ on: "a", joins: "b" });
    expect(await problems()).toEqual([[]]);
    b.workloads.clear();
    expect(await problems()).toEqual([["redirection by b is missing"]]);
    await place({ on: "b" });
    expect(await problems()).toEqual([["is redirected by a too"]]);
    b.workloads.clear();
    b.problems = ["a map is gone"];
    expect(await node.observe()).toMatchObject({
      problems: ["b: a map is gone"],
      counters: { "a.x": 1, "b.x": 1 },
      maps: { "a.m": { entries: 1, max: 9 }, "b.m": { entries: 1, max: 9 } },
      workloads: [{ state: "partial", problems: ["is redirected by a too", "redirection by b is missing"] }],
    });
  });

  test("the proxies and the addresses of the one that joins are compared too, and told to it again", async () => {
    const proxy = { key: "z", role: "active" as const, state: "complete" as const, problems: [], foreign: [] };
    const active = { key: "z" } as NonNullable<Proxies["active"]>;
    const joined = { active, draining: [], placement: { on: "a", joins: "b" } } as Proxies;
    await node.useProxies(joined);
    a.proxies = [proxy];
    b.proxies = [{ ...proxy, state: "partial", problems: ["route is missing"] }];
    expect((await node.observe()).problems).toEqual(["b: proxy z: route is missing"]);
    b.proxies = [];
    expect((await node.observe()).problems).toEqual(["b: active proxy z is missing"]);
    b.proxies = [{ ...proxy, role: "draining" }];
    await node.useNode({ addresses: ["198.19.0.1"] });
    expect((await node.observe()).problems).toEqual([
      "b: proxy z is draining instead of active",
      "b: node addresses are none instead of 198.19.0.1",
    ]);
    said = [];
    await node.useProxies(joined);
    expect(said).toEqual(["b node", "b proxies", "a proxies"]);
  });

  test("one that cannot be read hides nothing of the one that serves, and what it has counts as seen by nobody", async () => {
    await place({ on: "b" });
    a.workloads.clear();
    await node.apply({ ...WEB, uid: "uid-db" });
    b.unreadable = Object.assign(new Error("not today"), { code: "EPERM" });
    a.problems = ["a map is gone"];
    expect(await node.observe()).toMatchObject({
      problems: ["a map is gone", "b cannot be read: EPERM: not today"],
      workloads: [
        { uid: "uid-db", state: "complete" },
        {
          uid: WEB.uid,
          state: "partial",
          problems: ["b cannot be read: EPERM: not today"],
          addresses: WEB.addresses,
          hostIndex: 7,
        },
      ],
    });
    a.unreadable = new Error("nor this one");
    await expect(node.observe()).rejects.toThrow("nor this one");
  });

  test("who leaves is removed from both", async () => {
    await place({ on: "a", joins: "b" });
    said = [];
    await node.remove(WEB.uid);
    expect(said).toEqual(["a remove", "b remove"]);
  });
});

test("a backend that cannot be opened fails the step, and can be asked again", async () => {
  let opens = false;
  node = new SwitchingRedirection({
    serving: "a",
    redirection: a,
    open: async () => {
      if (!opens) throw new Error("no such hook");
      return b;
    },
    used: { names: () => ["a"], noted: (_, opening) => opening(), forget: () => {} },
    log: silentLogger as unknown as Logger,
  });
  await node.useNode({ addresses: [] });
  const join = () => node.useProxies({ ...NONE, placement: { on: "a", joins: "b" } } as Proxies);
  await expect(join()).rejects.toThrow("no such hook");
  opens = true;
  await join();
  expect(said).toContain("b proxies");
});
