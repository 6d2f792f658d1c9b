import type { DualStack } from "../lab/addresses.ts";

/** Ports every node proxy of the contract has. */
export const PROXY_PORTS = { outbound: 15001, inbound: 15006, hbone: 15008, readiness: 15021 } as const;

/** Where the proxy hands HBONE connections to: a server of the lab on the proxy's loopback. */
export const HBONE_SINK_PORT = 15088;

export interface HaproxyConfigOptions {
  /** The proxy's own addresses: it must not dial itself on its capture ports, or it would do so for ever. */
  readonly addresses: DualStack;
  readonly threads: number;
  /** Listening sockets per port, joined by SO_REUSEPORT. */
  readonly shards: number;
  /** Without logging, for measurements. */
  readonly quiet: boolean;
}

/** One line per ended connection; parsed by `haproxy-log.ts`. Variables: HAProxy 2.6 configuration manual, section 8.2.4. */
const LOG_FORMAT = [
  '{"frontend":"%f"',
  '"accepted":%Ts%ms',
  '"source":"%ci"',
  '"sourcePort":%cp',
  '"destination":"%[dst]"',
  '"destinationPort":%[dst_port]',
  '"received":%U',
  '"sent":%B',
  '"termination":"%ts"}',
].join(",");

/**
 * HAProxy as a node proxy: transparent on both families; what it captured it dials on, at the original destination and from
 * the client's own address. HBONE connections end in the lab's sink, because HAProxy cannot undo HBONE.
 */
export function haproxyConfig({ addresses, threads, shards, quiet }: HaproxyConfigOptions): string {
  const log = quiet ? "" : `\n  log-format '${LOG_FORMAT}'`;
  const capture = (name: "outbound" | "inbound"): string => `
frontend ${name}
  bind :::${PROXY_PORTS[name]} v4v6 transparent shards ${shards}
  tcp-request connection reject if { dst ${addresses[4]} ${addresses[6]} }${log}
  default_backend original-destination
`;
  return `global
  ${quiet ? "" : "log stdout format raw local0\n  "}maxconn 8000
  nbthread ${threads}
defaults
  mode tcp
  ${quiet ? "" : "log global\n  "}retries 0
  timeout connect 5s
  timeout client 120s
  timeout server 120s
${capture("outbound")}${capture("inbound")}
frontend hbone
  bind :::${PROXY_PORTS.hbone} v4v6 transparent shards ${shards}${log}
  default_backend sink

frontend readiness
  bind :::${PROXY_PORTS.readiness} v4v6
  mode http
  no log
  http-request return status 200 content-type text/plain string ready

backend original-destination
  source 0.0.0.0 usesrc clientip
  server original 0.0.0.0:0

backend sink
  server sink 127.0.0.1:${HBONE_SINK_PORT}
`;
}
