/** What a maker of network rules on Kubernetes nodes is known by. Every number and name is from the source named. */
export interface KnownOwner {
  readonly name: string;
  readonly source: string;
  /** Bits of packet or connection marks. */
  readonly marks?: readonly number[];
  /** Priorities of ip rules, first and last. */
  readonly priorities?: readonly (readonly [number, number])[];
  /** Routing tables, first and last. */
  readonly tables?: readonly (readonly [number, number])[];
  readonly links?: RegExp;
  /** Chains of iptables. */
  readonly chains?: RegExp;
  readonly sets?: RegExp;
  /** Tables of nftables. */
  readonly nftTables?: RegExp;
  /** UDP ports of tunnels. */
  readonly ports?: readonly number[];
  /**
   * Marks that are set by BPF programs, where no rule tells of them, and the link that tells that those run. `bits` are all that
   * cannot be shared.
   */
  readonly hiddenMarks?: { readonly bits: number; readonly link: string };
}

export const KNOWN_OWNERS: readonly KnownOwner[] = [
  {
    name: "kube-proxy or the kubelet",
    source:
      "kubernetes/kubernetes: pkg/proxy/iptables/proxier.go, pkg/kubelet/kubelet_network_linux.go, pkg/proxy/nftables/proxier.go",
    marks: [0x4000, 0x8000],
    links: /^kube-(ipvs0|dummy-if)$/,
    chains: /^KUBE-/,
    sets: /^KUBE-/,
    nftTables: /^kube-proxy$/,
  },
  {
    name: "the CNI project's portmap",
    source: "containernetworking/plugins: plugins/meta/portmap/README.md (markMasqBit 13)",
    marks: [0x2000],
    chains: /^CNI-/,
    nftTables: /^cni_/,
  },
  {
    name: "Cilium",
    source:
      "cilium/cilium: pkg/datapath/linux/linux_defaults/linux_defaults.go, mark.go (identities in the high 16 and low 8 bits, magic in 0x0f00)",
    marks: [0x0f00],
    hiddenMarks: { bits: 0xffff_0fff, link: "cilium_host" },
    priorities: [
      [1, 1],
      [9, 10],
      [20, 20],
      [100, 100],
      [109, 112],
    ],
    tables: [
      [200, 202],
      [2004, 2005],
    ],
    links: /^(cilium_|lxc)/,
    chains: /^(OLD_)?CILIUM_/,
    sets: /^cilium_/,
  },
  {
    name: "AWS VPC CNI",
    source: "aws/amazon-vpc-cni-k8s: pkg/networkutils/network.go",
    marks: [0x80],
    priorities: [
      [1, 1],
      [10, 10],
      [20, 20],
      [512, 1536],
    ],
    links: /^(eni|vlan\.eth)/,
    chains: /^AWS-/,
  },
  {
    name: "Calico",
    source:
      "projectcalico/calico: felix/config/config_params.go (IptablesMarkMask, RouteTableRanges, WireguardRoutingRulePriority)",
    marks: [0xffff_0000],
    priorities: [[99, 99]],
    tables: [[1, 250]],
    links: /^(cali|vxlan\.calico|vxlan-v6\.calico|wireguard\.cali|bpfin\.cali|bpfout\.cali|tunl0)/,
    chains: /^cali/,
    sets: /^cali/,
    nftTables: /^calico$/,
    ports: [4789],
  },
  {
    name: "OVN-Kubernetes (Open vSwitch)",
    source:
      "ovn-org/ovn-kubernetes: go-controller/pkg/node/gateway_shared_intf.go (ovnkubeITPMark 0x1745ec, priority 30, table 7)",
    priorities: [[30, 30]],
    tables: [[7, 7]],
    links: /^(ovn-k8s-|genev_sys_|ovs-system|br-(ex|int)$|breth)/,
    chains: /^OVN-KUBE-/,
    nftTables: /^ovn-kubernetes$/,
    ports: [6081],
  },
  {
    name: "Antrea (Open vSwitch)",
    // Its Egress also uses the low 8 bits, too common to tell it by: its chains and tables do.
    source:
      "antrea-io/antrea: pkg/agent/types/marks.go (SNATIPMarkMask 0xff, HostLocalSourceBit 31), pkg/agent/route/route_linux.go",
    marks: [0x8000_0000, 0x4000_0000],
    tables: [
      [101, 120],
      [141, 141],
    ],
    links: /^(antrea-|genev_sys_|ovs-system)/,
    chains: /^ANTREA-/,
    sets: /^(ANTREA-|LOCAL-FLEXIBLE-IPAM)/,
    nftTables: /^antrea/,
    ports: [6081],
  },
  {
    name: "Istio ambient of 1.18 to 1.20 (node redirection)",
    source: "istio/istio 1.20: cni/pkg/ambient/constants/constants.go",
    marks: [0x100, 0x200, 0x220, 0x210, 0x040],
    priorities: [[100, 103]],
    tables: [[100, 102]],
    links: /^istio(in|out)$/,
    chains: /^ztunnel-/,
    sets: /^ztunnel-pods-ips$/,
  },
  {
    name: "Istio (istio-cni)",
    source: "istio/istio: cni/pkg/iptables/iptables.go, cni/pkg/ipset",
    chains: /^ISTIO_/,
    sets: /^istio-inpod-/,
    nftTables: /^istio-/,
  },
  {
    name: "flannel",
    source: "flannel-io/flannel: pkg/trafficmngr, pkg/backend/vxlan",
    links: /^(flannel[.-]|cni0$)/,
    chains: /^FLANNEL-/,
    nftTables: /^flannel-/,
    ports: [8472],
  },
  {
    name: "Weave Net",
    source: "weaveworks/weave: net/ipsec, npc/constants.go",
    marks: [0x20000, 0x40000],
    links: /^(weave|vxlan-6784)/,
    chains: /^WEAVE/,
    sets: /^weave-/,
    ports: [6784],
  },
  {
    name: "Tailscale",
    source: "tailscale/tailscale: wgengine/router (fwmark 0xff0000, ip rules from 5210, table 52)",
    marks: [0xff_0000],
    priorities: [[5210, 5270]],
    tables: [[52, 52]],
    links: /^tailscale/,
    chains: /^ts-/,
  },
  {
    name: "Docker",
    source: "moby/moby: daemon/libnetwork",
    links: /^(docker0|br-[0-9a-f]{12})$/,
    chains: /^DOCKER/,
    nftTables: /^docker-/,
  },
  { name: "firewalld", source: "firewalld/firewalld: src/firewall/core", nftTables: /^firewalld$/ },
  {
    name: "libvirt",
    source: "libvirt/libvirt: src/network",
    links: /^virbr/,
    chains: /^LIBVIRT_/,
    nftTables: /^libvirt_/,
  },
];

type Names = "links" | "chains" | "sets" | "nftTables";

/** Whoever names such things so. */
export function ownerByName(kind: Names, name: string): string | undefined {
  return join(KNOWN_OWNERS.filter((owner) => owner[kind]?.test(name)));
}

export function ownerByPort(port: number): string | undefined {
  return join(KNOWN_OWNERS.filter(({ ports }) => ports?.includes(port)));
}

/** Whoever a rule of policy routing fits best, by priority, mark and table: more that fits outweighs less. */
export function ownerByRouting(rule: {
  readonly priority?: number;
  readonly mark?: number | undefined;
  readonly table?: number | undefined;
}): string | undefined {
  const scores = KNOWN_OWNERS.map((owner) => ({ owner, score: score(owner, rule) }));
  const best = Math.max(...scores.map(({ score }) => score));
  return best === 0 ? undefined : join(scores.filter(({ score }) => score === best).map(({ owner }) => owner));
}

function score(owner: KnownOwner, { priority, mark, table }: Parameters<typeof ownerByRouting>[0]): number {
  const within = (ranges: KnownOwner["tables"], number: number | undefined) =>
    number !== undefined && ranges?.some(([first, last]) => first <= number && number <= last) ? 1 : 0;
  const marks = mark === undefined ? [] : (owner.marks ?? []).filter((known) => (mark & ~known) >>> 0 === 0);
  const byMark = marks.length === 0 ? 0 : marks.includes(mark as number) ? 2 : 1;
  return within(owner.priorities, priority) + within(owner.tables, table) + byMark;
}

/** What cannot be told, is not guessed. */
export const UNKNOWN_OWNER = "an owner that is not known";

function join(owners: readonly KnownOwner[]): string | undefined {
  return owners.length === 0 ? undefined : owners.map(({ name }) => name).join(" or ");
}
