import { FAMILIES } from "../../lab/addresses.ts";
import { fillBuiltInChains } from "../../lab/built-in-chains.ts";
import { EscapeCounter } from "../../lab/escape-counter.ts";
import type { Lab } from "../../lab/lab.ts";
import type { LabNode } from "../../lab/lab-node.ts";
import { tunnelsOf } from "../../suite/tunnels.ts";
import { iptablesBreaks } from "../breaks/iptables.ts";
import type { Mode } from "../mode.ts";
import { expect, expectSame } from "../scenario.ts";
import { PORTS, type Stage } from "../stage.ts";

export type Flavour = "nft" | "legacy";

/** iproute2 prints the protocol of what is ours by its number. */
const OURS = "proto 77";

const linesOf = (text: string): string[] => text.split("\n").filter((line) => line !== "");

/** What the node's own tools list of ours: rules, policy routing, sets, tunnels. */
async function objects({ namespace }: LabNode, flavour: Flavour): Promise<string[]> {
  const found: string[] = [];
  for (const family of FAMILIES) {
    const save = `${family === 4 ? "iptables" : "ip6tables"}-${flavour}-save`;
    found.push(...linesOf(await namespace.runChecked(save, [])).filter((line) => /^-A .*MILLRACE/.test(line)));
    for (const list of [["rule"], ["route", "show", "table", "all"]]) {
      const all = linesOf(await namespace.runChecked("ip", [`-${family}`, ...list]));
      found.push(...all.filter((line) => line.includes(OURS)).map((line) => line.trim()));
    }
  }
  const sets = linesOf(await namespace.runChecked("ipset", ["save", "-sorted"]));
  found.push(
    ...sets
      .filter((line) => line.includes("millrace"))
      .map((line) => line.replace(/ (initval|bucketsize|timeout) \S+/g, "")),
  );
  found.push(...(await tunnelsOf(namespace)).map(({ device, kind }) => `${kind} ${device}`));
  return found;
}

async function rules(stage: Stage, flavour: Flavour): Promise<string[]> {
  const node = stage.lab.node(1);
  const all = await objects(node, flavour);
  const [tunnel] = await tunnelsOf(node.namespace);
  expect(tunnel !== undefined, "node 1 has no tunnel");
  const { stdout } = await stage.agent(1).millrace("status");
  expect(stdout.includes(flavour), `status does not say that iptables-${flavour} is used: ${stdout}`);
  const jumps = all.filter((line) => /^-A [A-Z]+ .*-j MILLRACE/.test(line));
  const ofCart = all.filter((line) => line.includes(stage.cart.address(4)));
  expect(ofCart.length > 0, "no set and no route has cart's address");
  return [
    `# iptables-${flavour}-save, ip6tables-${flavour}-save: ${all.filter((line) => line.startsWith("-A")).length} rules, entered by`,
    ...jumps,
    "# ip rule",
    ...all.filter((line) => /^\d+:/.test(line)),
    `# cart's: ${ofCart.join("; ")}`,
    `# first packets travel by ${tunnel.kind} (${tunnel.device})`,
  ];
}

/** Without the decisions of the table mangle, members' TCP is dropped by the table filter: it must not get out as it is. */
async function guard(stage: Stage, flavour: Flavour): Promise<string[]> {
  const node = stage.lab.node(1);
  const counter = await EscapeCounter.start(stage.db, stage.cart);
  // The agent finds what is missing and brings it back: not before we have looked.
  process.kill(stage.agent(1).pid, "SIGSTOP");
  try {
    await node.namespace.runChecked(`iptables-${flavour}`, ["-t", "mangle", "-F", "MILLRACE-TCP"]);
    const { status } = await stage.curl(stage.cart, stage.db.address(4), PORTS.http, 1);
    expect(status !== 0, "cart reached db though nobody had decided about its connection");
    expectSame("packets of cart that reached db", (await counter.read()).packets, 0);
  } finally {
    process.kill(stage.agent(1).pid, "SIGCONT");
    await counter.stop();
  }
  const found = await stage.agent(1).millrace("status", "--observe");
  const problem = found.stdout.split("\n").find((line) => line.startsWith("!"));
  expect(problem !== undefined, `status does not tell what is missing: ${found.stdout}`);
  await stage.agent(1).until("mended rules", ({ observation }) => observation?.problems.length === 0);
  const mark = stage.proxy(1).mark();
  await stage.get(stage.cart, stage.db.address(4));
  const taken = await stage.proxy(1).awaitRecords({ frontend: "outbound", source: stage.cart.address(4) }, mark);
  expectSame("connections that the proxy took", taken.length, 1);
  return [
    "with MILLRACE-TCP in the table mangle flushed: no connection, 0 packets got there",
    problem,
    "and back by itself",
  ];
}

/** As on nodes that are in use, and as long as the lab lasts: see {@link fillBuiltInChains}. */
function fillTables({ nodes }: Lab, flavour: Flavour): Promise<void> {
  const proxies = nodes.flatMap(({ pods }) => pods.filter(({ name }) => name.startsWith("ztunnel")));
  return fillBuiltInChains(
    [...nodes, ...proxies].map(({ namespace }) => namespace),
    flavour,
  );
}

/** The same flavour on both nodes: the one that what stands for kube-proxy there uses, which the backend finds out. */
export function iptablesMode(flavour: Flavour): Mode {
  return {
    backend: "iptables",
    title: `redirected by packet marks, policy routing and a tunnel; iptables-${flavour}, as kube-proxy has it`,
    services: `iptables-${flavour}`,
    agent: () => ({ redirectMode: "iptables" }),
    prepare: (lab) => fillTables(lab, flavour),
    scenarios: [
      {
        name: "rules",
        title: "our rules, routes, sets and tunnels, as the node's tools show them",
        show: (stage) => rules(stage, flavour),
      },
      {
        name: "guard",
        title:
          "somebody flushes our rules in one table: another one drops what they would have captured, until they are back",
        show: (stage) => guard(stage, flavour),
      },
    ],
    objectsOfNode: (stage) => objects(stage.lab.node(1), flavour),
    objectsOfPod: async (stage, pod) => {
      const addresses = FAMILIES.map((family) => pod.address(family));
      const all = await objects(stage.lab.node(1), flavour);
      return all.filter((line) => addresses.some((address) => line.split(/[ ,/]/).includes(address)));
    },
    breaks: iptablesBreaks(flavour),
  };
}
