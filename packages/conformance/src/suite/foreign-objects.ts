import type { Namespace } from "../lab/namespace.ts";
import { ForeignProgram } from "./foreign-program.ts";
import type { Testbed } from "./testbed.ts";

/** What another agent might have put there, at the very places the legacy backends used. */
const NFT = `table inet foreign {
  chain mangle {
    type filter hook prerouting priority -150
    iifname "h-m1" meta mark set meta mark | 0x200
  }
  chain input {
    type filter hook input priority -1
    tcp dport 4 drop
  }
}
`;
/** Rules at the top of the hooks, in both flavours; the mark's bit is Cilium's (0x0f00, pkg/datapath/linux/linux_defaults/mark.go). */
const IPTABLES = ["mangle PREROUTING -j MARK --or-mark 0x800", "nat PREROUTING -p tcp -m tcp --dport 5 -j ACCEPT"];
const PRIORITIES = [100, 101, 102, 103, 20000];
const TABLE = 100;
const TUNNEL = "genev_sys_6081";
/** IANA's port of Geneve, which Open vSwitch takes for its own. */
const TUNNEL_PORT = 6081;

/**
 * Objects of somebody else in the node's namespace: clsact filters at priority 1 handle 1, ip rules and routes, nftables chains and
 * iptables rules that set marks, a set, and a tunnel that owns Geneve's port.
 */
export class ForeignObjects implements AsyncDisposable {
  /** The filters; what they have seen tells that they still run. */
  readonly filters = new ForeignProgram("foreign_unspec");
  /** Kind of the tunnel: Geneve where the kernel has it, else VXLAN. */
  tunnel = "geneve";
  readonly #bed: Testbed;

  private constructor(bed: Testbed) {
    this.#bed = bed;
  }

  static async create(bed: Testbed): Promise<ForeignObjects> {
    await using undo = new AsyncDisposableStack();
    const objects = undo.use(new ForeignObjects(bed));
    await objects.#make();
    undo.move();
    return objects;
  }

  async #make(): Promise<void> {
    const { namespace } = this.#bed.node;
    for (const [name, direction] of this.#hooks()) this.filters.attachClsact(namespace, name, direction);
    await namespace.ip(
      ...PRIORITIES.map((priority) => `rule add priority ${priority} fwmark 0x8200/0x8200 lookup ${TABLE}`),
      `route add local 198.18.77.0/24 dev lo table ${TABLE}`,
    );
    await namespace.nft(NFT);
    await eachProgram((program) => commands(namespace, program, "-I"));
    await namespace.runChecked("ipset", ["create", "ztunnel-pods-ips", "hash:ip"]);
    this.tunnel = await addTunnel(namespace);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { namespace } = this.#bed.node;
    for (const [name, direction] of this.#hooks()) this.filters.detachClsact(namespace, name, direction);
    for (const [name, direction] of this.#hooks()) {
      if (direction === "ingress") await namespace.run("tc", ["qdisc", "del", "dev", name, "clsact"]);
    }
    this.filters[Symbol.dispose]();
    await namespace.ip(
      ...PRIORITIES.map((priority) => `rule del priority ${priority}`),
      `route flush table ${TABLE}`,
      `link del ${TUNNEL}`,
    );
    await namespace.nft("delete table inet foreign\n");
    await eachProgram((program) => commands(namespace, program, "-D"));
    await namespace.runChecked("ipset", ["destroy", "ztunnel-pods-ips"]);
  }

  #hooks(): (readonly [string, "ingress" | "egress"])[] {
    const { m1, z } = this.#bed;
    return [m1, z].flatMap(({ hostInterface }) => [
      [hostInterface, "ingress"] as const,
      [hostInterface, "egress"] as const,
    ]);
  }
}

async function addTunnel(namespace: Namespace): Promise<string> {
  const geneve = await namespace.run("ip", `link add ${TUNNEL} type geneve external dstport ${TUNNEL_PORT}`.split(" "));
  if (geneve.status !== 0) {
    await namespace.ip(`link add ${TUNNEL} type vxlan external dstport ${TUNNEL_PORT}`);
  }
  await namespace.ip(`link set ${TUNNEL} up`);
  return geneve.status === 0 ? "geneve" : "vxlan";
}

async function eachProgram(work: (program: string) => Promise<void>): Promise<void> {
  for (const family of ["iptables", "ip6tables"]) {
    for (const flavour of ["nft", "legacy"]) await work(`${family}-${flavour}`);
  }
}

async function commands(namespace: Namespace, program: string, verb: "-I" | "-D"): Promise<void> {
  for (const rule of IPTABLES) {
    const [table = "", ...rest] = rule.split(" ");
    await namespace.runChecked(program, ["-w", "10", "-t", table, verb, ...rest]);
  }
}
