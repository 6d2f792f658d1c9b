import { setTimeout as sleep } from "node:timers/promises";
import { Lab, type LabNode, type Program, type Snapshot, snapshot } from "@millrace/conformance";
import type { Workload } from "@millrace/core";
import { describe, expect, test } from "vitest";
import { flavours } from "./commands/iptables-names.ts";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

const exclusions = {
  outboundPorts: [3306, 5432],
  outboundCidrs: ["198.19.200.0/24"],
  inboundPorts: [9100],
  inboundCidrs: ["2001:2:0:c8::/64"],
};

describe.each(flavours)("iptables-%s", (flavour) => {
  test("asking again for what is there writes nothing, nor does the next process", { timeout: 180_000 }, async () => {
    await using lab = await Lab.create({ nodes: [{ pods: ["m1", "m2", "m3", "m4"], proxies: ["z1", "z2"] }] });
    const node = lab.node(1);
    const [z1, z2] = await Promise.all([proxyOf(lab.pod("z1")), proxyOf(lab.pod("z2"))]);
    const members: Workload[] = await Promise.all([
      workloadOf(lab.pod("m1")),
      workloadOf(lab.pod("m2"), { dnsCapture: true }),
      workloadOf(lab.pod("m3"), { exclusions }),
      workloadOf(lab.pod("m4"), { enrolExisting: "reset" }),
    ]);
    const ask = async (driver: Driver) => {
      await driver.useNode({ addresses: Object.values(node.addresses) });
      await driver.useProxies({ active: z1, draining: [z2] });
      for (const member of members) await driver.apply(member);
    };

    await using first = await Driver.open(node, { config: { flavour } });
    await first.useProxies({ active: z2, draining: [] });
    await ask(first);
    const installed = withoutTime(await snapshot(lab));
    const watch = await Watch.start(node);
    await ask(first);
    await Promise.all([...members].reverse().map((member) => first.apply(member)));
    expect(await watch.stop()).toEqual([]);
    expect(withoutTime(await snapshot(lab))).toEqual(installed);

    await first[Symbol.asyncDispose]();
    const again = await Watch.start(node);
    await using second = await Driver.open(node, { config: { flavour } });
    await ask(second);
    expect(await again.stop()).toEqual([]);
    expect(withoutTime(await snapshot(lab))).toEqual(installed);
    expect(await second.observe()).toMatchObject({ problems: [], workloads: members.map(() => ({ problems: [] })) });
  });
});

/** Members that settle have their remaining seconds in their entries. */
function withoutTime(state: Snapshot): Snapshot {
  return new Map([...state].map(([title, lines]) => [title, lines.map((line) => line.replace(/ timeout \d+/, ""))]));
}

/** What the kernel tells of changes on a node: links, addresses, routes, rules, neighbours, nftables. */
class Watch {
  readonly #node: LabNode;
  readonly #programs: readonly Program[];
  #marks = 0;

  private constructor(node: LabNode) {
    this.#node = node;
    this.#programs = [
      node.start("ip monitor", "ip", ["monitor", "link", "address", "route", "rule", "neigh"]),
      node.start("nft monitor", "nft", ["monitor"]),
    ];
  }

  /** Watching once both have told of a change that was made for them. */
  static async start(node: LabNode): Promise<Watch> {
    const watch = new Watch(node);
    const deadline = Date.now() + 30_000;
    while (!(await watch.#mark(500))) {
      if (Date.now() > deadline) throw new Error("the monitors tell nothing");
    }
    return watch;
  }

  /** All that was told since, up to a change that is made for it. */
  async stop(): Promise<string[]> {
    const from = this.#programs.map(({ lines }) => lines.findLastIndex((line) => isMark(line, this.#marks)) + 1);
    if (!(await this.#mark(30_000))) throw new Error("the monitors tell nothing more");
    await Promise.all(this.#programs.map((program) => program.stop()));
    return this.#programs.flatMap(({ lines }, index) => {
      const until = lines.findIndex((line) => isMark(line, this.#marks));
      return lines.slice(from[index], until).filter(isNews);
    });
  }

  async #mark(timeout: number): Promise<boolean> {
    this.#marks += 1;
    const route = `blackhole 198.18.255.${this.#marks}/32 table 4242`;
    const { namespace } = this.#node;
    await namespace.ip(`route add ${route}`, `route del ${route}`);
    for (const verb of ["add", "delete"]) await namespace.nft(`${verb} table inet watched${this.#marks}\n`);
    const isTold = ({ lines }: Program) => lines.filter((line) => isMark(line, this.#marks)).length === 2;
    const deadline = Date.now() + timeout;
    while (!this.#programs.every(isTold) && Date.now() < deadline) await sleep(20);
    return this.#programs.every(isTold);
  }
}

const isMark = (line: string, mark: number): boolean => new RegExp(`(198\\.18\\.255\\.|watched)${mark}\\b`).test(line);

/** Not the number of nftables' generation, nor neighbours that the kernel asks for by itself. */
const isNews = (line: string): boolean => !/^$|^# new generation|\b(REACHABLE|STALE|DELAY|PROBE|FAILED)\b/.test(line);
