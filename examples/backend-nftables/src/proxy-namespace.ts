import type { NodeProxy } from "@millrace/core";
import { FAMILIES } from "./elements.ts";
import { Table } from "./kernel.ts";
import { FOR_US, INSIDE, TABLE, writeChain } from "./rules.ts";
import { run, transact } from "./system.ts";

/** Policy routing: what carries our mark is for the proxy's own sockets, whatever its destination. */
const ROUTING = FAMILIES.flatMap((n) => [
  {
    family: `-${n}`,
    kind: "rule",
    what: `fwmark ${FOR_US} lookup 15100 priority 60`,
    printed: /^60:\tfrom all fwmark 0x6d lookup 15100$/m,
  },
  {
    family: `-${n}`,
    kind: "route",
    what: "local default dev lo table 15100",
    printed: /^2 default dev lo table 15100 /m,
  },
]);

/** Makes a proxy take what is sent to it. */
export async function enterProxy(netns: string): Promise<void> {
  for (const { family, kind, what } of await missing(netns))
    await run(netns, "", "ip", family, kind, "add", ...what.split(" "));
  const held = await Table.read(netns, "inet");
  const differing = held.differing(INSIDE).map((chain) => writeChain("inet", chain));
  if (differing.length > 0) await transact(netns, [`add table inet ${TABLE}`, ...differing]);
}

export async function leaveProxy(netns: string): Promise<void> {
  await transact(netns, [`add table inet ${TABLE}`, `delete table inet ${TABLE}`]);
  const gone = await missing(netns);
  for (const one of ROUTING.filter((some) => !gone.includes(some)))
    await run(netns, "", "ip", one.family, one.kind, "del", ...one.what.split(" "));
}

export async function insideProblems({ interface: { netns } }: NodeProxy): Promise<string[]> {
  const chains = (await Table.read(netns, "inet")).differing(INSIDE).map(({ name }) => `chain ${name}`);
  const routing = (await missing(netns)).map(({ family, kind, what }) => `ip ${family} ${kind} ${what}`);
  return [...chains, ...routing].map((what) => `${what} is not there, or not as it was written`).sort();
}

async function missing(netns: string): Promise<typeof ROUTING> {
  const printed = new Map<string, string>();
  for (const n of FAMILIES) {
    printed.set(`-${n}rule`, await run(netns, "", "ip", `-${n}`, "-N", "rule"));
    printed.set(
      `-${n}route`,
      await run(netns, "", "ip", `-${n}`, "-N", "route", "show", "table", "all", "type", "local"),
    );
  }
  return ROUTING.filter(({ family, kind, printed: line }) => !line.test(printed.get(family + kind) ?? ""));
}
