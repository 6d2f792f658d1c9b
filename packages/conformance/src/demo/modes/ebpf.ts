import { ebpfBreaks } from "../breaks/ebpf.ts";
import type { Mode } from "../mode.ts";
import { expect } from "../scenario.ts";
import type { Stage } from "../stage.ts";

/** Node 1 has tcx links, which Debian 12's bpftool does not list yet; node 2 has clsact filters, which tc shows too. */
async function programs(stage: Stage): Promise<string[]> {
  const chains = stage.neighbours.chains();
  for (const program of ["app_outbound", "app_inbound"]) {
    expect(
      chains.some((line) => line.includes(`: ${program}`)),
      `${program} is not first on ${stage.cart.hostInterface}: ${chains}`,
    );
  }
  const node = stage.lab.node(2).namespace;
  const dev = stage.api.hostInterface;
  const shown = (await node.runChecked("bpftool", ["net", "show"])).split("\n").filter((line) => line.startsWith(dev));
  const filters: string[] = [];
  for (const [direction, program] of [
    ["ingress", "app_outbound"],
    ["egress", "app_inbound"],
  ] as const) {
    expect(
      shown.some((line) => line.includes(program)),
      `bpftool net shows no ${program} on ${dev}: ${shown}`,
    );
    const lines = (await node.runChecked("tc", ["filter", "show", "dev", dev, direction])).trimEnd().split("\n");
    expect(
      lines.some((line) => line.includes(program)),
      `tc shows no ${program} on ${dev} ${direction}: ${lines}`,
    );
    filters.push(`# tc filter show dev ${dev} ${direction}`, ...lines);
  }
  return [...chains, "# bpftool net show", ...shown, ...filters];
}

/** Node 1's agent attaches by tcx links, node 2's by clsact filters. `redirectMode` is `auto` unless the backend was asked for. */
export function ebpfMode(redirectMode: "auto" | "ebpf"): Mode {
  return {
    backend: "ebpf",
    title: "redirected by tc programs: tcx links on node 1, clsact filters on node 2",
    services: "nft",
    agent: ({ number }) => ({ redirectMode, backends: { ebpf: { attach: number === 1 ? "tcx" : "clsact" } } }),
    prepare: async () => undefined,
    scenarios: [{ name: "programs", title: "our programs, as bpftool and tc show them", show: programs }],
    // With their links: an agent that attaches anew has others.
    objectsOfNode: async (stage) => stage.neighbours.chains(),
    objectsOfPod: async (stage, pod) =>
      stage.neighbours.chains().filter((line) => line.startsWith(pod.hostInterface) && line.includes("app_")),
    breaks: ebpfBreaks,
  };
}
