import type { ProgramName, Verdict } from "../support/layout.ts";

/** Which verdicts each program comes to; bpf/README.md says in its table what they mean there, and a test compares the two. */
export const REACHABLE: Readonly<Record<ProgramName, readonly Verdict[]>> = {
  app_outbound: [
    "passed",
    "captured",
    "drained",
    "bypassed",
    "adopted",
    "open",
    "dropped_no_proxy",
    "dropped_no_listener",
    "dropped_unparsable",
    "dropped_error",
    "excluded",
    "captured_dns",
  ],
  app_inbound: [
    "passed",
    "captured",
    "drained",
    "bypassed",
    "delivered",
    "adopted",
    "open",
    "dropped_no_proxy",
    "dropped_unparsable",
    "dropped_error",
    "copied",
    "excluded",
  ],
  ztunnel_host_in: ["passed", "delivered", "adopted", "dropped_error", "refused_collision", "excluded"],
  ztunnel_tproxy: ["passed", "captured", "dropped_no_listener", "dropped_error", "refused_orphan", "captured_dns"],
  ztunnel_lookup: ["passed", "captured", "dropped_no_listener", "refused_orphan"],
};
