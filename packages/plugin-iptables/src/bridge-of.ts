import type { PodInterface, Workload } from "@millrace/core";
import { addresses, type Link, link } from "linux-ts";
import type { BridgePort, PortRole } from "./bridge-ports.ts";
import type { IpLink } from "./commands/ip-schemas.ts";
import { IptablesError } from "./errors.ts";
import { familyOf } from "./members.ts";
import type { SlotIdentity } from "./notes.ts";

/** How to get a link of the node: from the kernel, or from a list for many. */
export type LinkOf = (index: number) => Link | undefined;

export const askForLink: LinkOf = (index) => link(undefined, index);

type Outer = Pick<PodInterface, "hostName" | "hostIndex" | "mac">;

/**
 * The port by which a pod hangs on a bridge; undefined where it is routed.
 *
 * Throws `ERR_BRIDGE` where frames cannot be handed to the node's IP layer: what switches them is no bridge of the kernel's, or has no
 * address by which it would be the pod's gateway.
 */
export function bridgePortOf(
  pod: Outer,
  owner: string,
  role: PortRole,
  podAddresses: readonly string[],
  linkOf: LinkOf = askForLink,
): BridgePort | undefined {
  const master = linkOf(pod.hostIndex)?.master;
  const bridge = master === undefined ? undefined : linkOf(master);
  if (bridge === undefined) return undefined;
  const refuse = (why: string): IptablesError => unsuitable(pod.hostName, bridge.name, why);
  if (bridge.kind !== "bridge") throw refuse(`which is a ${bridge.kind ?? "device without a kind"}, not a bridge`);
  const own = addresses(undefined).filter(({ index, scope }) => index === bridge.index && scope === "global");
  for (const family of new Set(podAddresses.map(familyOf))) {
    if (!own.some(({ address }) => familyOf(address) === family))
      throw refuse(`which has no IPv${family} address of the node`);
  }
  return { name: pod.hostName, index: pod.hostIndex, mac: pod.mac, bridgeMac: bridge.mac, owner, role };
}

export const memberPort = (
  { interface: pod, uid, dnsCapture, addresses: own }: Workload,
  linkOf?: LinkOf,
): BridgePort | undefined => bridgePortOf(pod, uid, { kind: "member", dns: dnsCapture }, own, linkOf);

export const proxyPort = (slot: number, identity: SlotIdentity): BridgePort | undefined =>
  bridgePortOf(identity, `netns-${identity.netnsInode}`, { kind: "proxy", slot }, identity.addresses);

export const unsuitable = (port: string, bridge: string, why: string): IptablesError =>
  new IptablesError(
    "ERR_BRIDGE",
    `${port} is a port of ${bridge}, ${why}: what its pod exchanges with others there would go past the proxy. ` +
      "Use redirectMode ebpf, or attach the pod otherwise",
  );

/** The bridge of a port, where that filters VLANs: a frame that is lifted might come up in another VLAN than the pod's gateway is in. */
export function vlanBridgeOf(links: readonly IpLink[], port: string): string | undefined {
  const master = links.find(({ ifname }) => ifname === port)?.master;
  const bridge = links.find(({ ifname }) => ifname === master);
  return bridge?.linkinfo?.info_data?.vlan_filtering === 1 ? bridge.ifname : undefined;
}
