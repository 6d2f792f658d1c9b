import type { DualStack } from "@millrace/conformance";

/**
 * HAProxy as a node proxy (docs/node-proxy.md), or, where it is told a server, as a proxy that its clients dial. One thread and no log, in both. `own` are
 * its pod's addresses, which it must not dial.
 */
export function haproxyConfig(
  port: number,
  own: DualStack,
  server: { readonly address: string; readonly port: number } | undefined,
): string {
  const transparent = `bind :::${port} v4v6 transparent
  tcp-request connection reject if { dst ${own[4]} ${own[6]} }`;
  const original = `source 0.0.0.0 usesrc clientip
  server original 0.0.0.0:0`;
  return `global
  maxconn 8000
  nbthread 1
defaults
  mode tcp
  retries 0
  timeout connect 5s
  timeout client 120s
  timeout server 120s
frontend in
  ${server === undefined ? transparent : `bind :::${port} v4v6`}
  default_backend out
backend out
  ${server === undefined ? original : `server fixed ${server.address}:${server.port}`}
`;
}
