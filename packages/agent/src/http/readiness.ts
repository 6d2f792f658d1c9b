import type { InstallState } from "@millrace/cni-install";
import type { Status } from "../status/status-document.ts";
import { describeUnread } from "../status/unread.ts";

/** One thing that has to be so before the agent is ready. */
export interface Condition {
  readonly name: ConditionName;
  readonly ok: boolean;
  /** Why not, in words; absent when it is so. */
  readonly reason?: string;
}

/**
 * - `redirection`: a backend was chosen and its redirection is open
 * - `kernel`: it was read back, the last reading of it did not fail, and what all members share is there
 * - `watches`: everything that decisions rest on was listed and is being watched
 * - `cni-socket`: the CNI plugin gets an answer
 * - `cni-plugin`: the plugin and its entry are installed; only where the agent is to install them
 */
export const CONDITIONS = ["redirection", "kernel", "watches", "cni-socket", "cni-plugin"] as const;
export type ConditionName = (typeof CONDITIONS)[number];

export interface ReadinessFacts {
  readonly status: Status;
  readonly cniSocketOpen: boolean;
  /** What the installer says; `undefined` before its first look; `"not ours"` where the agent does not install. */
  readonly install: InstallState | "not ours" | undefined;
}

/** Whether this node's agent can serve members that start now. A node proxy is not among it: members without one are dropped or let by. Pure. */
export function readiness({ status, cniSocketOpen, install }: ReadinessFacts): Condition[] {
  const reasons: Readonly<Record<ConditionName, string | undefined>> = {
    redirection: status.agent.problem,
    kernel: kernelReason(status),
    watches: status.watches
      .filter(({ state }) => state !== "synced")
      .map(({ name, state, reason }) => `${name} is ${state}${reason === undefined ? "" : `: ${reason}`}`)
      .join("; "),
    "cni-socket": cniSocketOpen ? undefined : "the socket is not open",
    "cni-plugin": install === "not ours" ? undefined : installReason(install),
  };
  return CONDITIONS.filter((name) => name !== "cni-plugin" || install !== "not ours").map((name) => {
    const reason = reasons[name] ?? "";
    return { name, ok: reason === "", ...(reason !== "" && { reason }) };
  });
}

function kernelReason(status: Status): string | undefined {
  return describeUnread(status) ?? status.observation?.problems.join("; ");
}

function installReason(install: InstallState | undefined): string | undefined {
  if (install === undefined) return "the CNI directories have not been looked at yet";
  return install.state === "installed" ? undefined : `${install.state}: ${install.detail}`;
}
