import type { InstallState } from "@millrace/cni-install";
import type { CniAnswer } from "@millrace/watchers";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Refresh } from "./metrics.ts";

/** From a pod outside the mesh (about a millisecond) to the plugin's deadline. */
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const STATES: readonly InstallState["state"][] = ["waiting", "installed", "refused", "contended", "failed"];

/** The CNI plugin: what it asked, and whether it is installed. */
export function cniMetrics(register: Registry): { refresh: Refresh; answered: (answer: CniAnswer) => void } {
  const registers = [register];
  const requests = new Counter({
    name: "millrace_plugin_requests_total",
    help: "Answers to the CNI plugin by command and by CNI error code; 0 is success. docs/cni-socket.md tells the codes.",
    labelNames: ["command", "code"],
    registers,
  });
  const seconds = new Histogram({
    name: "millrace_plugin_request_seconds",
    help: "How long the CNI plugin waited for its answer, by command.",
    labelNames: ["command"],
    buckets: REQUEST_BUCKETS,
    registers,
  });
  const installState = new Gauge({
    name: "millrace_plugin_install_state",
    help: "1 for the state that the installation of the CNI plugin is in; absent where the agent does not install it.",
    labelNames: ["state"],
    registers,
  });
  const writes = new Counter({
    name: "millrace_plugin_install_writes_total",
    help: "Files of the CNI directories that were written since the agent started; more and more of them are a quarrel with another installer.",
    registers,
  });
  return {
    refresh({ install }) {
      installState.reset();
      writes.reset();
      if (install === undefined) return;
      for (const state of STATES) installState.set({ state }, Number(state === install.state));
      writes.inc(install.writes);
    },
    answered({ command = "none", code, durationMs }) {
      requests.inc({ command, code });
      seconds.observe({ command }, durationMs / 1000);
    },
  };
}
