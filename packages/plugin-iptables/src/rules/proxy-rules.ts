import type { Family } from "linux-ts";
import { type Layout, PREFIX, PROXY_PORTS } from "../layout.ts";
import { connmark, SYN, setConnmark } from "./host-input.ts";
import { type Chain, lines, type Ruleset } from "./ruleset.ts";

/** All that the rules in a proxy's network namespace depend on. */
export interface ProxyInput {
  readonly family: Family;
  readonly layout: Layout;
  /** The proxy's interface in its namespace. */
  readonly ifName: string;
  /** Addresses of the namespace, this family. */
  readonly addresses: readonly string[];
  readonly tunnel: { readonly family: Family; readonly port: number; readonly node: string };
}

/**
 * Hands to the proxy what the node redirects. First packets come by the tunnels, which tell the direction; all others by the
 * proxy's own interface. TPROXY looks for the connection's own socket first, so those of the proxy's clients and servers both find
 * theirs; what belongs to none meets the listener, which resets it from the address it was sent to (an ordinary reset would need a
 * local one: net/ipv4/route.c, ip_route_output_key_hash_rcu()).
 */
export function proxyRules(input: ProxyInput): Ruleset {
  const { family, ifName, tunnel } = input;
  const forged = `-i ${ifName} -p udp -m udp --dport ${tunnel.port} ! -s ${tunnel.node} -j DROP`;
  const chains: Chain[] = [
    {
      table: "raw",
      name: `${PREFIX}-PRE`,
      hook: "PREROUTING",
      rules: lines(tunnel.family === family && forged),
    },
    { table: "mangle", name: `${PREFIX}-PRE`, hook: "PREROUTING", rules: [`-p tcp -j ${PREFIX}-TCP`] },
    { table: "mangle", name: `${PREFIX}-TCP`, rules: tcpRules(input) },
  ];
  return { family, chains };
}

function tcpRules({ layout, family, ifName, addresses }: ProxyInput): string[] {
  const { links, marks } = layout;
  // The port is kept on the connection: the answer to a SYN cookie finds no socket that would know.
  const outbound = { value: marks.out, port: PROXY_PORTS.outbound };
  const inbound = { value: marks.in, port: PROXY_PORTS.inbound };
  const hbone = { value: marks.pass, port: PROXY_PORTS.hbone };
  // By loopback, where every listener of the proxy's is found: an sk_lookup program of the eBPF backend in this namespace takes any other
  // address for its own and would choose the listener.
  const tproxy = (port: number): string => `-j TPROXY --on-port ${port} --on-ip ${family === 4 ? "127.0.0.1" : "::1"}`;
  const deliver = (port: number): string => `-p tcp ${tproxy(port)}`;
  const capture = (match: string, { value, port }: { value: string; port: number }): string[] => [
    `${match} ${setConnmark(value)}`,
    `${match} ${tproxy(port)}`,
  ];
  return lines(
    addresses.map((address) => `-d ${address} -j RETURN`),
    capture(`-i ${links.outbound} ${SYN}`, outbound),
    capture(`-i ${links.inbound} ${SYN} --dport ${PROXY_PORTS.hbone}`, hbone),
    capture(`-i ${links.inbound} ${SYN}`, inbound),
    [links.outbound, links.inbound].map((link) => `-i ${link} -j DROP`),
    // Nobody sends one here for somebody else, but for another backend that serves the same proxy.
    `-i ${ifName} ${SYN} -j RETURN`,
    [inbound, hbone].map(({ value, port }) => `-i ${ifName} ${connmark(value)} ${deliver(port)}`),
    `-i ${ifName} ${deliver(outbound.port)}`,
  );
}
