import { Gauge, type Registry } from "prom-client";
import type { Refresh } from "./metrics.ts";

/** What runs, and whether it is ready. */
export function agentMetrics(register: Registry): Refresh {
  const registers = [register];
  const build = new Gauge({
    name: "millrace_build_info",
    help: "The agent that runs; always 1.",
    labelNames: ["version", "node_version"],
    registers,
  });
  const backend = new Gauge({
    name: "millrace_backend_info",
    help: "The backend that serves, and what its probe said of this host; always 1. Absent while none could be opened.",
    labelNames: ["mode", "backend", "probe"],
    registers,
  });
  const condition = new Gauge({
    name: "millrace_ready_condition",
    help: "1 for each condition of /readyz that holds, 0 for one that does not.",
    labelNames: ["condition"],
    registers,
  });
  const earlier = new Gauge({
    name: "millrace_earlier_redirections",
    help: "Redirections by other backends, of earlier runs, that are still there.",
    registers,
  });
  return ({ status: { agent, earlier: left }, conditions }) => {
    build.set({ version: agent.version, node_version: process.versions.node }, 1);
    backend.reset();
    if (agent.backend !== undefined) {
      const probe = agent.selection?.probes.find(({ backend: name }) => name === agent.backend)?.summary ?? "";
      backend.set({ mode: agent.redirectMode, backend: agent.backend, probe }, 1);
    }
    for (const { name, ok } of conditions) condition.set({ condition: name }, Number(ok));
    earlier.set(left.length);
  };
}
