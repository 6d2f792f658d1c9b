import { FAMILIES } from "../../lab/addresses.ts";
import type { LabNode } from "../../lab/lab-node.ts";
import { tunnelsOf } from "../../suite/tunnels.ts";
import { iptablesBreaks } from "../breaks/iptables.ts";
import type { Mode } from "../mode.ts";
import { expect } from "../scenario.ts";
import type { Stage } from "../stage.ts";

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
    ...sets.filter((line) => line.includes("millrace")).map((line) => line.replace(/ (initval|bucketsize) \S+/g, "")),
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

/** The same flavour on both nodes: the one that what stands for kube-proxy there uses, which the backend finds out. */
export function iptablesMode(flavour: Flavour): Mode {
  return {
    backend: "iptables",
    title: `redirected by packet marks, policy routing and a tunnel; iptables-${flavour}, as kube-proxy has it`,
    services: `iptables-${flavour}`,
    agent: () => ({ redirectMode: "iptables" }),
    objects: {
      name: "rules",
      title: "our rules, routes, sets and tunnels, as the node's tools show them",
      show: (stage) => rules(stage, flavour),
    },
    objectsOfNode: (stage) => objects(stage.lab.node(1), flavour),
    objectsOfPod: async (stage, pod) => {
      const addresses = FAMILIES.map((family) => pod.address(family));
      const all = await objects(stage.lab.node(1), flavour);
      return all.filter((line) => addresses.some((address) => line.split(/[ ,/]/).includes(address)));
    },
    breaks: iptablesBreaks(flavour),
  };
}
