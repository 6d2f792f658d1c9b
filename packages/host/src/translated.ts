import { openConnections } from "@millrace/core/host";
import { type ConntrackEntry, type ConntrackTuple, conntrackEntries, type Family, type Netns } from "linux-ts";

const IPPROTO_TCP = 6;

const ends = (local: string, localPort: number, remote: string, remotePort: number): string =>
  `${local} ${localPort} ${remote} ${remotePort}`;

/** Connections that the node's conntrack translates in between a proxy and somebody else. */
export interface Translated {
  /** Captured ones: the proxy's socket shows the answer's tuple. The client's port may be another there, where two would have been one to conntrack. */
  readonly taken: readonly ConntrackEntry[];
  /** Those that a proxy has opened, to a Service for instance: its socket shows the original tuple. */
  readonly dialled: readonly ConntrackEntry[];
}

/** What is open by now. Without nf_conntrack_netlink it throws the kernel's `EINVAL`. */
export function translatedConnections(proxies: readonly Netns[], families: readonly Family[]): Translated {
  const sockets = new Set(
    proxies
      .flatMap(openConnections)
      .map(({ local, localPort, remote, remotePort }) => ends(local, localPort, remote, remotePort)),
  );
  const entries = families
    .flatMap((family) => conntrackEntries(undefined, { family }))
    .filter((entry) => entry.protocol === IPPROTO_TCP && isTranslated(entry));
  const isOpen = ({ source, sourcePort, destination, destinationPort }: ConntrackTuple): boolean =>
    sockets.has(ends(source, sourcePort, destination, destinationPort));
  return {
    taken: entries.filter(({ reply }) => isOpen(reply)),
    dialled: entries.filter(({ original }) => isOpen(original)),
  };
}

function isTranslated({ original, reply }: ConntrackEntry): boolean {
  return (
    original.source !== reply.destination ||
    original.sourcePort !== reply.destinationPort ||
    original.destination !== reply.source ||
    original.destinationPort !== reply.sourcePort
  );
}
