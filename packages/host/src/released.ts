import { setTimeout as sleep } from "node:timers/promises";
import type { PluginLogger } from "@millrace/core";
import { type Netns, type TcpSocket, type TcpState, tcpSockets } from "linux-ts";

/** States in which both ends still have something to say to each other. */
const CONNECTED: readonly TcpState[] = [
  "established",
  "syn-sent",
  "syn-recv",
  "fin-wait-1",
  "fin-wait-2",
  "close-wait",
  "last-ack",
  "closing",
];

const POLL_MS = 20;

/** An IPv4 address of a dual-stack socket is shown as `::ffff:a.b.c.d`. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, "");

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
  const concerned = ({ source, destination }: TcpSocket): boolean =>
    wanted.has(plain(source)) || wanted.has(plain(destination));
  return proxies.flatMap(({ fd }) => tcpSockets(fd, { states: CONNECTED })).filter(concerned).length;
}
