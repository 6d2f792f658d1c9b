import type { LabPod } from "./lab-pod.ts";

/**
 * The DSCP that what a proxy sends of its own carries in the lab: one of those for experiments and local use (RFC 2474 section 6, pool 2),
 * which nothing else here sets. Routing and address translation leave it alone, and unlike a source port it is nobody's to choose again.
 */
export const STAMP = 0x2b;

/** Of nftables, in a proxy's namespace. */
export const STAMP_TABLE = "lab-stamp";

/**
 * Stamps the TCP that a proxy's own sockets send. What is redirected to a proxy comes in from outside and, going on, never passes the
 * hook `output` of its namespace: so a SYN without the stamp was not dialled by the proxy.
 */
export async function stampProxy(proxy: LabPod): Promise<void> {
  await proxy.namespace.nft(`table inet ${STAMP_TABLE} {
  chain out {
    type filter hook output priority mangle
    meta l4proto tcp ip dscp set ${STAMP}
    meta l4proto tcp ip6 dscp set ${STAMP}
  }
}
`);
}
