import { rmSync, unlinkSync } from "node:fs";
import { attachClsact, BpfLink, BpfMap } from "libbpf-ts";
import { openNetns } from "linux-ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeAddress } from "./address-codec.ts";
import { proxyCodec, settingsCodec, u32Codec } from "./layout.ts";
import { Agent } from "./testing/agent.ts";
import { loadForeign } from "./testing/foreign.ts";
import { type BoxPod, NodeBox, proxyOf, workloadOf } from "./testing/node-box.ts";
import { runIn } from "./testing/run.ts";

const NODE_ADDRESS = "198.18.1.1";

interface Setting {
  readonly box: NodeBox;
  readonly member: BoxPod;
  readonly proxy: BoxPod;
  /** A path below our pins. */
  readonly pin: (path: string) => string;
}

/** What somebody does behind our back, and how we tell. */
interface Drift {
  readonly name: string;
  readonly modes?: readonly ("tcx" | "clsact")[];
  readonly strike: (setting: Setting) => void;
  readonly phrase: string;
}

const inMap = ({ pin }: Setting, name: string, work: (map: BpfMap) => void) => {
  using map = BpfMap.openPinned(pin(`maps/${name}`));
  work(map);
};
const detach = (path: string) => {
  using link = BpfLink.openPinned(path);
  link.detach();
};
const hook = ({ pin, member }: Setting, direction: string) =>
  pin(`workloads/uid-member/${member.interface.hostIndex}/${direction}`);
const inProxy = ({ proxy }: Setting, ...command: [string, ...string[]]) => runIn(proxy.netns, ...command);
const onNode = ({ box }: Setting, ...command: [string, ...string[]]) => runIn(box.netns, ...command);

const drifts: readonly Drift[] = [
  {
    name: "a member's tcx link is detached",
    modes: ["tcx"],
    strike: (setting) => detach(hook(setting, "ingress")),
    phrase: "app_outbound is not attached",
  },
  {
    name: "a member's tcx link loses its pin",
    modes: ["tcx"],
    strike: (setting) => {
      detach(hook(setting, "egress"));
      unlinkSync(hook(setting, "egress"));
    },
    phrase: "app_inbound is not attached",
  },
  {
    name: "a member's filter is deleted",
    modes: ["clsact"],
    strike: (setting) => onNode(setting, "tc", "filter", "del", "dev", "h-member", "ingress"),
    phrase: "app_outbound is not attached",
  },
  {
    name: "a member's qdisc is deleted",
    modes: ["clsact"],
    strike: (setting) => onNode(setting, "tc", "qdisc", "del", "dev", "h-member", "clsact"),
    phrase: "app_inbound is not attached",
  },
  {
    name: "the proxy's inner qdisc is deleted",
    modes: ["clsact"],
    strike: (setting) => inProxy(setting, "tc", "qdisc", "del", "dev", "eth0", "clsact"),
    phrase: "ztunnel_tproxy is not attached",
  },
  {
    name: "the proxy's inner link is detached",
    modes: ["tcx"],
    strike: ({ pin }) => detach(pin("proxies/0/links/inner/ingress")),
    phrase: "ztunnel_tproxy is not attached",
  },
  {
    name: "the proxy's outer link is detached",
    modes: ["tcx"],
    strike: ({ pin }) => detach(pin("proxies/0/links/host/ingress")),
    phrase: "ztunnel_host_in is not attached",
  },
  {
    name: "the lookup link is detached",
    strike: ({ pin }) => detach(pin("proxies/0/links/lookup")),
    phrase: "ztunnel_lookup is not attached",
  },
  {
    name: "a proxy's program loses its pin",
    strike: ({ pin }) => unlinkSync(pin("proxies/0/programs/ztunnel_lookup")),
    phrase: "ztunnel_lookup is another version",
  },
  {
    name: "a proxy's map loses its pin",
    strike: ({ pin }) => unlinkSync(pin("proxies/0/maps/flows")),
    phrase: "map flows has lost its pin",
  },
  {
    name: "the map of what a dead proxy is asked about loses its pin",
    strike: ({ pin }) => unlinkSync(pin("proxies/0/maps/unanswered")),
    phrase: "map unanswered has lost its pin",
  },
  {
    name: "a member's address is deleted",
    strike: (setting) => inMap(setting, "members", (map) => map.delete(encodeAddress(setting.member.ipv6))),
    phrase: "address 2001:2:0:1::b is missing",
  },
  {
    name: "a member's entry is deleted",
    strike: (setting) =>
      inMap(setting, "workloads", (map) => map.delete(u32Codec.encode(setting.member.interface.hostIndex))),
    phrase: "entry in workloads is missing",
  },
  {
    name: "an entry appears that nobody made",
    strike: (setting) => inMap(setting, "workloads", (map) => map.update(u32Codec.encode(1), new Uint8Array(16))),
    phrase: "entry in workloads for lo is left over",
  },
  {
    name: "the proxy's address is deleted",
    strike: (setting) => inMap(setting, "addresses", (map) => map.delete(encodeAddress(setting.proxy.ipv4))),
    phrase: "address 198.18.1.12 is not noted as the proxy's",
  },
  {
    name: "the active proxy is reset",
    strike: (setting) =>
      inMap(setting, "settings", (map) =>
        map.update(u32Codec.encode(0), settingsCodec.encode({ active: 0, draining: 0, flags: 0 })),
      ),
    phrase: "proxy slot 0 is left over",
  },
  {
    name: "the settings' flags change",
    strike: (setting) =>
      inMap(setting, "settings", (map) =>
        map.update(u32Codec.encode(0), settingsCodec.encode({ active: 1, draining: 0, flags: 1 })),
      ),
    phrase: "settings have the flags 1, not 0",
  },
  {
    name: "the proxy's entry is cleared",
    strike: (setting) =>
      inMap(setting, "proxies", (map) =>
        map.update(
          u32Codec.encode(0),
          proxyCodec.encode({ ifindex: 0, netnsid: 0, mac: "00:00:00:00:00:00", flags: 0 }),
        ),
      ),
    phrase: "entry in proxies differs",
  },
  {
    name: "the IPv4 rule is deleted",
    strike: (setting) => inProxy(setting, "ip", "rule", "del", "priority", "20000"),
    phrase: "IPv4 rule 20000 of eth0 is missing",
  },
  {
    name: "the IPv6 rule is deleted",
    strike: (setting) => inProxy(setting, "ip", "-6", "rule", "del", "priority", "20000"),
    phrase: "IPv6 rule 20000 of eth0 is missing",
  },
  {
    name: "the IPv4 rule leads elsewhere",
    strike: (setting) => {
      inProxy(setting, "ip", "rule", "del", "priority", "20000");
      inProxy(setting, "ip", "rule", "add", "priority", "20000", "iif", "eth0", "lookup", "7", "protocol", "77");
    },
    phrase: "IPv4 rule 20000 (iif eth0 lookup 7) is left over",
  },
  {
    name: "the IPv4 table is flushed",
    strike: (setting) => inProxy(setting, "ip", "route", "flush", "table", "15001"),
    phrase: "IPv4 local route in table 15001 is missing",
  },
  {
    name: "the IPv6 table is flushed",
    strike: (setting) => inProxy(setting, "ip", "-6", "route", "flush", "table", "15001"),
    phrase: "IPv6 local route in table 15001 is missing",
  },
  {
    name: "forwarding is turned on in the proxy's namespace",
    strike: (setting) => inProxy(setting, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"),
    phrase: "sysctl net/ipv6/conf/all/forwarding is 1, not 0",
  },
  {
    name: "the reverse path filter is made strict",
    strike: (setting) => onNode(setting, "sysctl", "-qw", "net.ipv4.conf.h-proxy.rp_filter=1"),
    phrase: "sysctl net/ipv4/conf/h-proxy/rp_filter is 1, not 2",
  },
  {
    name: "a map loses its pin",
    strike: ({ pin }) => unlinkSync(pin("maps/members")),
    phrase: "/maps/members is missing",
  },
  {
    name: "a program loses its pin",
    strike: ({ pin }) => unlinkSync(pin("programs/app_inbound")),
    phrase: "/programs/app_inbound is missing",
  },
  {
    name: "a workload's directory is removed",
    strike: ({ pin }) => rmSync(pin("workloads/uid-member"), { recursive: true }),
    phrase: "nothing of it is enrolled",
  },
  {
    name: "a filter of ours stands where it does not belong",
    strike: ({ box, member }) => {
      const { object, program } = loadForeign(box, "app_inbound");
      using netns = openNetns(`/run/netns/${box.netns}`);
      const place = { netns: netns.fd, ifindex: member.interface.hostIndex + 1, direction: "egress" } as const;
      attachClsact({ ...place, program, priority: 1, handle: 0x4d52 });
      object[Symbol.dispose]();
    },
    phrase: "app_inbound on h-proxy is left over",
  },
  {
    name: "all pins are removed",
    strike: ({ pin }) => rmSync(pin(""), { recursive: true }),
    phrase: "nothing of it is enrolled",
  },
];

describe.each(["tcx", "clsact"] as const)("drift, attached by %s", (attach) => {
  let setting: Setting;
  let agent: Agent;

  beforeAll(async () => {
    const box = await NodeBox.create();
    const [member, proxy] = [box.addPod("member"), box.addPod("proxy")];
    setting = { box, member, proxy, pin: (path) => `${box.visibleBpffs}/millrace/v1/${path}` };
    runIn(box.netns, "sysctl", "-qw", "net.ipv4.conf.h-proxy.rp_filter=1");
    runIn(proxy.netns, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1");
    agent = await Agent.open(box, { config: { attach } });
    await enforce();
  });
  afterAll(async () => {
    await agent?.[Symbol.asyncDispose]();
    setting.box[Symbol.dispose]();
  });

  const enforce = async () => {
    await agent.useNode({ addresses: [NODE_ADDRESS] });
    await agent.useProxies({ active: proxyOf(setting.proxy), draining: [] });
    await agent.apply(workloadOf(setting.member));
  };
  const healthy = {
    workloads: [{ uid: "uid-member", state: "complete", problems: [] }],
    proxies: [{ role: "active", state: "complete", problems: [] }],
    problems: [],
    nodeAddresses: [NODE_ADDRESS],
  };

  it.each(drifts.filter(({ modes }) => modes?.includes(attach) ?? true))(
    "is named and mended when $name",
    async (drift) => {
      expect(await agent.observe()).toMatchObject(healthy);
      drift.strike(setting);
      const { counters: _, ...observed } = await agent.observe();
      expect(JSON.stringify(observed)).toContain(drift.phrase);
      await enforce();
      expect(await agent.observe()).toMatchObject(healthy);
    },
  );

  it("shows a node address that is gone, which is given back by telling them again", async () => {
    inMap(setting, "addresses", (map) => map.delete(encodeAddress(NODE_ADDRESS)));
    expect((await agent.observe()).nodeAddresses).toEqual([]);
    await enforce();
    expect((await agent.observe()).nodeAddresses).toEqual([NODE_ADDRESS]);
  });
});
