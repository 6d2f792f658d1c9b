import { fileURLToPath } from "node:url";
import { type BpfMap, BpfObject } from "libbpf-ts";
import { noteVerdicts } from "../coverage/notes.ts";
import * as layout from "./layout.ts";
import { PROGRAMS, type ProgramName, VERDICTS, type Verdict } from "./layout.ts";

const OBJECTS = fileURLToPath(new URL("../../../packages/plugin-ebpf/objects/", import.meta.url));
export const NODE_OBJECT = `${OBJECTS}node.bpf.o`;
export const PROXY_OBJECT = `${OBJECTS}proxy.bpf.o`;

/** Maps that every proxy object takes over from the node object. */
export const SHARED_MAPS = [
  "addresses",
  "counters",
  "questions",
  "events",
  "events_wanted",
  "events_of",
  "events_lost",
] as const;

/** How often each verdict was come to, by `program.verdict`; zeros are left out. */
export type Verdicts = Partial<Record<`${ProgramName}.${Verdict}`, number>>;

export interface Settings {
  readonly active?: number;
  readonly draining?: number;
  readonly flags?: number;
}

/** Paths of the two objects: those that are shipped, or variants of them. */
export interface Objects {
  readonly node: string;
  readonly proxy: string;
}
export const SHIPPED: Objects = { node: NODE_OBJECT, proxy: PROXY_OBJECT };

/** The loaded programs and their maps: one node, and as many proxies as asked for. */
export class Datapath implements Disposable {
  readonly node: BpfObject;
  readonly proxies: readonly BpfObject[];

  constructor(proxies = 1, objects = SHIPPED) {
    this.node = BpfObject.open(objects.node);
    this.node.load();
    this.proxies = Array.from({ length: proxies }, () => this.#openProxy(objects.proxy));
  }

  #openProxy(path: string): BpfObject {
    const object = BpfObject.open(path);
    for (const name of SHARED_MAPS) object.reuseMap(name, this.node.map(name));
    object.load();
    return object;
  }

  map(name: string): BpfMap {
    return this.node.map(name);
  }

  settings(settings: Settings): void {
    this.map("settings").update(layout.le32(0), layout.settings(settings));
  }

  proxy(slot: number, entry: Parameters<typeof layout.proxy>[0]): void {
    this.map("proxies").update(layout.le32(slot), layout.proxy(entry));
  }

  workload(ifindex: number, entry?: Parameters<typeof layout.workload>[0]): void {
    this.map("workloads").update(layout.le32(ifindex), layout.workload(entry));
  }

  member(address: string, entry: Parameters<typeof layout.member>[0]): void {
    this.map("members").update(layout.addressKey(address), layout.member(entry));
  }

  address(address: string, flags: number): void {
    this.map("addresses").update(layout.addressKey(address), layout.le32(flags));
  }

  /** Empties every map but the counters. */
  reset(): void {
    for (const name of [
      "workloads",
      "members",
      "addresses",
      "via_host",
      "by_host",
      "begun",
      "adopted",
      "excluded",
      "excluded_ports",
      "excluded_networks",
    ]) {
      const map = this.map(name);
      for (const key of [...map.keys()]) map.delete(key);
    }
    for (let slot = 0; slot < layout.MAX_PROXIES; slot++) {
      this.proxy(slot, { ifindex: 0, netnsid: 0, mac: "00:00:00:00:00:00" });
    }
    this.settings({});
  }

  verdicts(): Verdicts {
    const found: Verdicts = {};
    for (const [p, program] of PROGRAMS.entries()) {
      for (const [v, verdict] of VERDICTS.entries()) {
        const perCpu = this.map("counters").lookupPerCpu(layout.le32(p * VERDICTS.length + v));
        const sum = perCpu.reduce((total, bytes) => total + layout.readLe64(bytes), 0);
        if (sum > 0) found[`${program}.${verdict}`] = sum;
      }
    }
    return found;
  }

  since(before: Verdicts): Verdicts {
    return difference(before, this.verdicts());
  }

  /** Which verdicts `act` adds. */
  async verdictsOf(act: () => unknown): Promise<Verdicts> {
    const before = this.verdicts();
    await act();
    return this.since(before);
  }

  [Symbol.dispose](): void {
    noteVerdicts(this.verdicts());
    for (const object of this.proxies) object[Symbol.dispose]();
    this.node[Symbol.dispose]();
  }
}

export function difference(before: Verdicts, after: Verdicts): Verdicts {
  const added: Verdicts = {};
  for (const [name, count] of Object.entries(after) as [keyof Verdicts, number][]) {
    const more = count - (before[name] ?? 0);
    if (more > 0) added[name] = more;
  }
  return added;
}
