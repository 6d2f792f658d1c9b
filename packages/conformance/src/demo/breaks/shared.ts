import { writeFileSync } from "node:fs";
import type { Break } from "./break.ts";

/** What can be broken whichever backend redirects. */
export const sharedBreaks: readonly Break[] = [
  {
    name: "proxy-stopped",
    description: "HAProxy on node 1 is stopped before anything is shown",
    apply: (stage) => stage.proxy(1).stop(),
  },
  {
    name: "neighbour-removed",
    description: "the foreign tcx program loses its place on a member's veth",
    before: "neighbours",
    apply: async (stage) => stage.neighbours.removeTcx(),
  },
  {
    name: "agent-cannot-start",
    description: "the agent's configuration is spoilt before it starts again",
    before: "agent-back",
    apply: async (stage) => writeFileSync(stage.lab.node(1).paths.agentConfig, "redirectMode: [\n"),
  },
  {
    name: "something-left",
    description: "a policy rule nobody removes appears on node 1 before the uninstall",
    before: "uninstall-1",
    apply: async (stage) => {
      await stage.lab
        .node(1)
        .namespace.runChecked("ip", ["rule", "add", "priority", "20000", "fwmark", "0x400", "lookup", "100"]);
    },
  },
];
