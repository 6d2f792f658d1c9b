import type { Attributes } from "./attributes.ts";
import { formatAddress } from "./ip-address.ts";

/** Where a Geneve or VXLAN device leads (RFC 8926, RFC 7348). */
export interface Tunnel {
  /** Virtual network identifier; 0 for one that takes it from each packet. */
  vni: number;
  /** UDP port that it sends to and receives at. */
  port: number;
  /** Address of the other end, or the group; absent where it is taken from each packet or not set. */
  remote?: string;
  /** What packets need is told by routes or filters (`external` in ip-link(8)). */
  external?: true;
}

/** Attributes in enum of include/uapi/linux/if_link.h. */
interface TunnelAttributes {
  readonly id: number;
  readonly remote: number;
  readonly remote6: number;
  readonly port: number;
  readonly external: number;
}

const kinds: Readonly<Record<string, TunnelAttributes>> = {
  /** IFLA_GENEVE_ID, _REMOTE, _REMOTE6, _PORT, _COLLECT_METADATA. */
  geneve: { id: 1, remote: 2, remote6: 7, port: 5, external: 6 },
  /** IFLA_VXLAN_ID, _GROUP, _GROUP6, _PORT, _COLLECT_METADATA. */
  vxlan: { id: 1, remote: 2, remote6: 16, port: 15, external: 25 },
};

/** Undefined for other kinds. `data`: the attributes of IFLA_INFO_DATA. */
export function decodeTunnel(kind: string | undefined, data: () => Attributes | undefined): Tunnel | undefined {
  const types = kind === undefined || !Object.hasOwn(kinds, kind) ? undefined : kinds[kind];
  const attributes = types && data();
  if (types === undefined || attributes === undefined) return undefined;
  const remote = attributes.bytes(types.remote) ?? attributes.bytes(types.remote6);
  // Geneve's is a flag without a value (drivers/net/geneve.c, geneve_fill_info()), VXLAN's a byte (drivers/net/vxlan/vxlan_core.c).
  const external = attributes.bytes(types.external);
  const isExternal = external !== undefined && (external.length === 0 || external[0] !== 0);
  return {
    vni: attributes.u32(types.id) ?? 0,
    port: attributes.u16be(types.port) ?? 0,
    ...(remote === undefined ? {} : { remote: formatAddress(remote) }),
    ...(isExternal ? { external: true } : {}),
  };
}
