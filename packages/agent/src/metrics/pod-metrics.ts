import { Counter, Gauge, type Registry } from "prom-client";
import { WORKLOAD_STATES } from "../status/status-document.ts";
import type { Refresh } from "./metrics.ts";

const PROXY_ROLES = ["active", "draining"] as const;
const PROXY_STATES = ["complete", "partial", "unseen"] as const;

/** Workloads, proxies, and what the kernel was last seen to hold of them. */
export function podMetrics(register: Registry): Refresh {
  const registers = [register];
  const pods = new Gauge({
    name: "millrace_pods",
    help: "Pods of this node by state, as in `millrace status`.",
    labelNames: ["state"],
    registers,
  });
  const enrolled = new Gauge({
    name: "millrace_pods_enrolled",
    help: "Members of which the kernel was seen to hold all of their redirection.",
    registers,
  });
  const drifted = new Gauge({
    name: "millrace_pods_drifted",
    help: "Members whose redirection was last seen to differ from what was applied, and is not mended yet.",
    registers,
  });
  const proxies = new Gauge({
    name: "millrace_proxies",
    help: "Node proxies by role and by what the kernel was last seen to hold of them.",
    labelNames: ["role", "state"],
    registers,
  });
  const problems = new Gauge({
    name: "millrace_problems",
    help: "Problems that belong to no single workload: of the proxies, and of what all members share.",
    registers,
  });
  const packets = new Counter({
    name: "millrace_packets_total",
    help: "Packets (of ztunnel_lookup: listener lookups) by the program or chain that saw them and by what became of them, since the redirection was installed.",
    labelNames: ["program", "verdict"],
    registers,
  });
  const readAt = new Gauge({
    name: "millrace_kernel_read_timestamp_seconds",
    help: "When the last reading of the kernel began, in seconds since the epoch; 0 before the first.",
    registers,
  });
  const unread = new Gauge({
    name: "millrace_kernel_readings_failed",
    help: "Readings of the kernel that have failed since the last one that ended well: while it is not 0, members count as unseen.",
    registers,
  });
  return ({ status, drifted: differing }) => {
    for (const state of WORKLOAD_STATES) {
      const count = status.workloads.filter((workload) => workload.state === state).length;
      pods.set({ state: state.replaceAll(" ", "_") }, count);
      if (state === "enrolled") enrolled.set(count);
    }
    drifted.set(differing);
    for (const role of PROXY_ROLES) {
      for (const state of PROXY_STATES) {
        const count = status.proxies.filter((proxy) => proxy.role === role && proxy.state === state).length;
        proxies.set({ role, state }, count);
      }
    }
    problems.set(status.problems.length + (status.observation?.problems.length ?? 0));
    packets.reset();
    for (const [name, value] of Object.entries(status.counters)) {
      const dot = name.lastIndexOf(".");
      packets.inc({ program: name.slice(0, Math.max(dot, 0)), verdict: name.slice(dot + 1) }, value);
    }
    unread.set(status.unread?.attempts ?? 0);
    readAt.set(status.observation === undefined ? 0 : Date.parse(status.observation.time) / 1000);
  };
}
