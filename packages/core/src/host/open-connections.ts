import { type Family, type TcpState, tcpSockets } from "linux-ts";
import type { NetnsHandle } from "./sysctl-journal.ts";

/** A TCP connection as one of its ends has it. */
export interface OpenConnection {
  /** Of its packets: 4 also where the socket is a dual-stack one. */
  readonly family: Family;
  /** Canonical, as are those of the other end. */
  readonly local: string;
  readonly localPort: number;
  readonly remote: string;
  readonly remotePort: number;
}

/**
 * In which both ends may still say something (include/net/tcp_states.h). Not so what is over (`time-wait`, `close`), what waits to be called (`listen`), and what has a port and no peer
 * yet (`bound-inactive`).
 */
const OPEN: readonly TcpState[] = [
  "established",
  "syn-sent",
  "syn-recv",
  "new-syn-recv",
  "fin-wait-1",
  "fin-wait-2",
  "close-wait",
  "last-ack",
  "closing",
];

/** Of a dual-stack socket an IPv4 address is shown as `::ffff:a.b.c.d`. */
const MAPPED = /^::ffff:(?=\d+\.)/;

/**
 * The TCP connections of a network namespace (`undefined`: this process's own) that are not over, those within it included, as sock_diag(7) lists them. Needs CAP_NET_ADMIN for another namespace.
 *
 * Throws what the kernel says (`EPERM`).
 */
export function openConnections({ fd }: Pick<NetnsHandle, "fd">): OpenConnection[] {
  return tcpSockets(fd, { states: OPEN }).map(({ source, sourcePort, destination, destinationPort }) => {
    const [local, remote] = [source.replace(MAPPED, ""), destination.replace(MAPPED, "")];
    return { family: local.includes(":") ? 6 : 4, local, localPort: sourcePort, remote, remotePort: destinationPort };
  });
}
