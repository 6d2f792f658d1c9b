import { setTimeout as sleep } from "node:timers/promises";
import type { PluginLogger } from "@millrace/core";
import { openConnections } from "@millrace/core/host";
import type { Netns } from "linux-ts";

const POLL_MS = 20;

/**
 * Resolves when no proxy has a connection from or to one of these addresses any more, or when `seconds` have passed: those that are
 * left then lose their proxy and are reset by whichever end notices first.
 */
export async function untilReleased(
  addresses: readonly string[],
  proxies: readonly Netns[],
  seconds: number,
  log: PluginLogger,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const held = heldBy(addresses, proxies);
    if (held === 0) return;
    if (performance.now() > deadline) {
      log.warn({ addresses, held }, "the proxy still has connections of a workload that leaves; they end now");
      return;
    }
    await sleep(POLL_MS);
  }
}

/** How many sockets of proxies belong to connections from or to one of these addresses. */
export function heldBy(addresses: readonly string[], proxies: readonly Netns[]): number {
  const wanted = new Set(addresses);
  return proxies.flatMap(openConnections).filter(({ local, remote }) => wanted.has(local) || wanted.has(remote)).length;
}
