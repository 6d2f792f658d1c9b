import { program, Table, transact, writeChains } from "./kernel.ts";
import { INSIDE, TABLE } from "./rules.ts";

/** Policy routing: what carries our mark is for the proxy's own sockets, whatever its destination. */
const ROUTING = ["-4", "-6"].flatMap((family) => [
  {
    family,
    kind: "rule",
    what: "fwmark 0x6d lookup 15100 priority 60",
    printed: /^60:\tfrom all fwmark 0x6d lookup 15100$/m,
  },
  { family, kind: "route", what: "local default dev lo table 15100", printed: /^2 default dev lo table 15100 /m },
]);
const LISTS = { rule: ["rule"], route: ["route", "show", "table", "all", "type", "local"] };

/** Makes a proxy take what is sent to it. */
export async function enterProxy(netns: string): Promise<void> {
  for (const { family, kind, what } of await missing(netns))
    await program(["ip", family, kind, "add", ...what.split(" ")], netns);
  const chains = writeChains("inet", (await Table.read("inet", netns)).differing(INSIDE));
  if (chains.length > 0) await transact([`add table inet ${TABLE}`, ...chains], netns);
}

export async function leaveProxy(netns: string): Promise<void> {
  await transact([`add table inet ${TABLE}`, `delete table inet ${TABLE}`], netns);
  const gone = new Set(await missing(netns));
  for (const { family, kind, what } of ROUTING.filter((one) => !gone.has(one)))
    await program(["ip", family, kind, "del", ...what.split(" ")], netns);
}

export async function insideProblems(netns: string): Promise<string[]> {
  const chains = (await Table.read("inet", netns)).problems(INSIDE);
  return [
    ...chains,
    ...(await missing(netns)).map(({ family, kind, what }) => `ip ${family} ${kind} ${what} is missing`),
  ].sort();
}

async function missing(netns: string): Promise<typeof ROUTING> {
  const found = await Promise.all(
    ROUTING.map(async ({ family, kind, printed }) => {
      const list = await program(["ip", family, "-N", ...(kind === "rule" ? LISTS.rule : LISTS.route)], netns);
      return printed.test(list);
    }),
  );
  return ROUTING.filter((_, index) => !found[index]);
}
