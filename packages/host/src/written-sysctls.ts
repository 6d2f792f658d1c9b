import { isHalfOf, SOURCE_PORTS, USUAL_PORTS } from "./source-ports.ts";

/** A sysctl that a backend may write. */
export interface WrittenSysctl {
  readonly path: string;
  /** Whether a value is one that is written where `before` stood. */
  isOurs(value: string, before: string): boolean;
  /** What it has where nobody has written it; undefined: what `default` says. */
  readonly usual?: string;
}

/**
 * Every sysctl that a backend may write for these interfaces, and what it writes: what `noForwarding` and its like, `source-ports.ts` and the backends
 * change. By it a change is told to be ours where no journal tells. `all` and `default` count as interfaces.
 */
export function writtenSysctls(place: "node" | "pod", interfaces: readonly string[]): WrittenSysctl[] {
  const written = (path: string, ours: string): WrittenSysctl => ({ path, isOurs: (value) => value === ours });
  const ofInterfaces = interfaces.flatMap((name) => {
    const own = written(`net/ipv4/conf/${name}/rp_filter`, "2");
    if (place === "node") return [own, written(`net/ipv4/conf/${name}/accept_local`, "1")];
    return [
      own,
      written(`net/ipv4/conf/${name}/forwarding`, "0"),
      written(`net/ipv4/conf/${name}/arp_ignore`, "3"),
      written(`net/ipv6/conf/${name}/forwarding`, "0"),
      written(`net/ipv6/conf/${name}/accept_ra`, "0"),
    ];
  });
  return place === "node"
    ? ofInterfaces
    : [...ofInterfaces, { path: SOURCE_PORTS, isOurs: isHalfOf, usual: USUAL_PORTS }];
}
