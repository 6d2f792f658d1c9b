import { expect, test } from "vitest";
import { vlanBridgeOf } from "./bridge-of.ts";
import { ipLink } from "./commands/ip-schemas.ts";

/** As `ip -N -d -j link show` prints them (iproute2 6.1, ip/iplink_bridge.c); the kernel of a test may lack VLAN filtering. */
const links = (vlanFiltering: number) =>
  [
    { ifindex: 3, ifname: "cni0", linkinfo: { info_kind: "bridge", info_data: { vlan_filtering: vlanFiltering } } },
    { ifindex: 4, ifname: "h-a", master: "cni0", linkinfo: { info_kind: "veth" } },
    { ifindex: 5, ifname: "h-b", linkinfo: { info_kind: "veth" } },
  ].map((link) => ipLink.parse({ flags: ["UP"], mtu: 1500, ...link }));

test("a bridge that filters VLANs is told from one that does not", () => {
  expect(vlanBridgeOf(links(1), "h-a")).toBe("cni0");
  expect(vlanBridgeOf(links(1), "h-b")).toBeUndefined();
  expect(vlanBridgeOf(links(0), "h-a")).toBeUndefined();
});
