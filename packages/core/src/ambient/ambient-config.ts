import { subjects } from "../events/subjects.ts";
import type { State } from "../state/state.ts";

/** The file that Istio ambient 1.18-1.20 published for its CNI plugin, by default `/etc/ambient-config/config.json`. */
export interface AmbientConfig {
  readonly ztunnelReady: boolean;
  /** Name of the backend that serves; empty before one is selected. */
  readonly redirectMode: string;
}

/** Ready: there is an active proxy, and the backend did not fail to use it. As in the original, it is said when the proxy is chosen. */
export function ambientConfig(state: State): AmbientConfig {
  const requested = state.requested.get(subjects.proxies);
  const active = requested?.action === "use-proxies" && requested.spec.active !== undefined;
  return {
    ztunnelReady: active && state.outcomes.get(subjects.proxies)?.state !== "failed",
    redirectMode: state.backend?.backend ?? "",
  };
}
