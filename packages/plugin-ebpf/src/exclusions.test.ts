import { describe, expect, it } from "vitest";
import { describeExclusion, type ExcludedNetwork, keysOf, networkCodec, portCodec } from "./exclusions.ts";
import { excludedNetworkCodec } from "./layout.ts";

describe("keys of exclusions", () => {
  it.each<[ExcludedNetwork, number]>([
    [{ ifindex: 7, way: "outbound", cidr: "198.18.0.0/15" }, 64 + 96 + 15],
    [{ ifindex: 7, way: "inbound", cidr: "0.0.0.0/0" }, 64 + 96],
    [{ ifindex: 4_000_000_000, way: "inbound", cidr: "198.18.1.7/32" }, 64 + 128],
    [{ ifindex: 7, way: "outbound", cidr: "2001:2::/48" }, 64 + 48],
    [{ ifindex: 7, way: "inbound", cidr: "::/0" }, 64],
  ])("%j comes back from a key of %i bits", (network, bits) => {
    const bytes = networkCodec.encode(network);
    expect(excludedNetworkCodec.decode(bytes).prefix_bits).toBe(bits);
    expect(networkCodec.decode(bytes)).toEqual(network);
  });

  it("writes ports in network byte order", () => {
    const bytes = portCodec.encode({ ifindex: 7, way: "inbound", port: 0x1538 });
    expect([...bytes]).toEqual([7, 0, 0, 0, 0x15, 0x38, 1, 0]);
    expect(portCodec.decode(bytes)).toEqual({ ifindex: 7, way: "inbound", port: 0x1538 });
  });

  it("makes one of each entry", () => {
    const { ports, networks } = keysOf(7, {
      outboundPorts: [443],
      inboundPorts: [443, 9090],
      outboundCidrs: ["198.18.0.0/15"],
      inboundCidrs: ["2001:2::/48"],
    });
    expect([...ports, ...networks].map(describeExclusion)).toEqual([
      "outbound port 443",
      "inbound port 443",
      "inbound port 9090",
      "outbound network 198.18.0.0/15",
      "inbound network 2001:2::/48",
    ]);
  });
});
