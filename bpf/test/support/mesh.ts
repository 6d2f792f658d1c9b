import { attachClsact, attachSkLookup } from "libbpf-ts";
import { link, netnsId } from "linux-ts";
import { Box, NODE_IPV4, NODE_IPV6, type Pod } from "./box.ts";
import { Datapath, SHIPPED } from "./datapath.ts";
import { NODE, PROXY } from "./layout.ts";

/** A box with the programs attached, as the eBPF backend does it. Its pods are plain ones until told otherwise. */
export class Mesh extends Box {
  readonly datapath: Datapath;

  constructor({ proxies = 1, objects = SHIPPED } = {}) {
    super();
    this.datapath = this.use(new Datapath(proxies, objects));
    this.datapath.address(NODE_IPV4, NODE);
    this.datapath.address(NODE_IPV6, NODE);
  }

  #attach(pod: Pick<Pod, "hostIfindex">, direction: "ingress" | "egress", name: string): void {
    const program = this.datapath.node.program(name);
    attachClsact({ program, ifindex: pod.hostIfindex, direction, priority: 1, handle: 1, netns: this.node.fd });
  }

  addProxy(name: string, slot: number): Pod {
    const pod = this.addPod(name);
    const object = this.datapath.proxies[slot];
    const ifindex = link(pod.netns.fd, "eth0")?.index ?? 0;
    const netnsid = netnsId(pod.netns.fd, { from: this.node.fd, assign: true });
    if (!object || netnsid === undefined) throw new Error(`there is no proxy ${slot}, or it has no netns id`);
    const toItself = ["rule add iif eth0 lookup 100", "route add local default dev lo table 100"];
    this.ip4(pod.netns, ...toItself);
    this.ip6(pod.netns, ...toItself);
    this.use(attachSkLookup({ program: object.program("ztunnel_lookup"), netns: pod.netns.fd }));
    const program = object.program("ztunnel_tproxy");
    attachClsact({ program, ifindex, direction: "ingress", priority: 1, handle: 1, netns: pod.netns.fd });
    this.#attach(pod, "ingress", "ztunnel_host_in");
    this.datapath.proxy(slot, { ifindex: pod.hostIfindex, netnsid, mac: pod.mac });
    for (const address of [pod.ipv4, pod.ipv6]) this.datapath.address(address, PROXY);
    return pod;
  }

  enrol(pod: Pod): void {
    this.datapath.workload(pod.hostIfindex);
    for (const address of [pod.ipv4, pod.ipv6]) {
      this.datapath.member(address, { ifindex: pod.hostIfindex, mac: pod.mac });
    }
    this.#attach(pod, "ingress", "app_outbound");
    this.#attach(pod, "egress", "app_inbound");
  }

  /** A tap in the node's namespace, in the place of a member's host veth: what is written to it leaves the member. */
  addMemberTap(name: string): void {
    this.ip(this.node, `tuntap add dev ${name} mode tap`, `link set ${name} up`);
    const hostIfindex = link(this.node.fd, name)?.index ?? 0;
    this.datapath.workload(hostIfindex);
    this.#attach({ hostIfindex }, "ingress", "app_outbound");
  }

  addMember(name: string): Pod {
    const pod = this.addPod(name);
    this.enrol(pod);
    return pod;
  }
}
