import type { Configuration } from "@millrace/core/internal";
import { KubernetesApi } from "@millrace/watchers";
import type { Setup } from "../cli/settings-options.ts";
import { type AgentFate, agentFate } from "../kubernetes/agent-fate.ts";
import type { Logger } from "../logging/logger.ts";
import { uninstall } from "../uninstall/uninstall.ts";

/** Of the 30 s that the kubelet gives a pod to end, so much for the question; the rest is for stopping and removing. */
const QUESTION_MS = 8_000;

/** What comes after this agent. Asks over a connection of its own: the agent may not have come to open one. */
export async function fateOf({ kubernetes, node }: Configuration): Promise<AgentFate> {
  const { enabled, kubeconfig, daemonSet } = kubernetes;
  if (!enabled || daemonSet === undefined) {
    return { successor: true, reason: "no DaemonSet is configured: `millrace uninstall` removes everything" };
  }
  using api = new KubernetesApi({ kubeconfig });
  return await agentFate({ api, daemonSet, node: node.name, signal: AbortSignal.timeout(QUESTION_MS) });
}

/** As `millrace uninstall` does. What is left is logged: there is nobody else to tell. */
export async function removeEverything(setup: Setup, log: Logger): Promise<void> {
  const keepCniPlugin = setup.configuration.install.keepPlugin;
  const { signal } = new AbortController(); // a second SIGTERM ends the process
  const { removed, left, kept, unseen } = await uninstall(setup, { purge: false, keepCniPlugin, signal, log });
  for (const what of left) log.error({ what }, "something is left on the node: run `millrace uninstall`");
  for (const what of unseen) log.warn({ what }, "something could not be looked at");
  log.info({ removed: removed.length, kept, left: left.length }, "everything of Millrace was removed from this node");
}
