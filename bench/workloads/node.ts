import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeProxy, PodInterface, Workload } from "@millrace/core";
import { attachInside } from "./attach-inside.ts";

interface Pod {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly interface: PodInterface;
}

const GATEWAY = "198.18.0.1";

let nodes = 0;

/**
 * A node with many pods in network namespaces, routed point to point as the common CNI plugins do it, and a directory for its disk.
 * Addresses are from the benchmarking ranges (RFC 2544, RFC 5180). Disposing removes everything.
 */
export class BenchNode implements Disposable {
  readonly netns: string;
  readonly directory: string;
  readonly workloads: readonly Workload[];
  readonly proxy: NodeProxy;

  constructor(count: number) {
    this.netns = `mrb${process.pid}x${nodes++}`;
    this.directory = mkdtempSync(join(tmpdir(), "millrace-bench-"));
    try {
      const [proxy, ...members] = this.#makePods([
        "proxy",
        ...Array.from({ length: count }, (_, index) => `m${index}`),
      ]);
      this.proxy = proxyOf(proxy as Pod);
      this.workloads = members.map(workloadOf);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  get path(): string {
    return `/run/netns/${this.netns}`;
  }

  /** Runs a shell script in the node's network namespace. */
  sh(script: string, input = ""): string {
    return execFileSync("nsenter", [`--net=${this.path}`, "sh", "-c", script], {
      encoding: "utf8",
      input,
      stdio: ["pipe", "pipe", "pipe"],
      maxBuffer: 256 * 1024 * 1024,
    });
  }

  #makePods(names: readonly string[]): Pod[] {
    const netnsOf = (name: string) => `${this.netns}-${name}`;
    batch([], [`netns add ${this.netns}`, ...names.map((name) => `netns add ${netnsOf(name)}`)]);
    this.sh("ip link set lo up; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    const plans = names.map((name, index) => ({
      name,
      netns: netnsOf(name),
      hostName: `h-${name}`,
      mac: `02:00:00:00:${byte(index >> 8)}:${byte(index & 0xff)}`,
      ipv4: `198.18.${1 + Math.floor(index / 200)}.${10 + (index % 200)}`,
      ipv6: `2001:2:0:1::${(16 + index).toString(16)}`,
    }));
    batch(
      ["-n", this.netns],
      plans.flatMap(({ netns, hostName, mac, ipv4, ipv6 }) => [
        `link add ${hostName} type veth peer name eth0 address ${mac} netns ${netns}`,
        `link set ${hostName} addrgenmode none`,
        `link set ${hostName} up`,
        `addr add ${GATEWAY}/32 dev ${hostName}`,
        `addr add fe80::1/64 dev ${hostName} nodad`,
        `route add ${ipv4}/32 dev ${hostName}`,
        `route add ${ipv6}/128 dev ${hostName}`,
      ]),
    );
    for (const { netns, ...addresses } of plans) attachInside(`/run/netns/${netns}`, GATEWAY, addresses);
    const links = JSON.parse(this.sh("ip -j link")) as { ifname: string; ifindex: number }[];
    const indexes = new Map(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
    return plans.map(({ name, netns, hostName, mac, ipv4, ipv6 }) => ({
      name,
      addresses: [ipv4, ipv6],
      interface: {
        netns: `/run/netns/${netns}`,
        netnsInode: statSync(`/run/netns/${netns}`).ino,
        name: "eth0",
        mac,
        hostName,
        hostIndex: indexes.get(hostName) as number,
      },
    }));
  }

  [Symbol.dispose](): void {
    const left = readdirSync("/run/netns").filter((name) => name === this.netns || name.startsWith(`${this.netns}-`));
    batch(
      [],
      left.map((name) => `netns del ${name}`),
    );
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function workloadOf({ name, addresses, interface: pod }: Pod): Workload {
  return {
    uid: `uid-${name}`,
    namespace: "bench",
    name,
    addresses,
    interface: pod,
    enrolExisting: "drain",
    dnsCapture: false,
    exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
  };
}

function proxyOf({ name, addresses, interface: pod }: Pod): NodeProxy {
  return { uid: `uid-${name}`, key: `${name}@${pod.netnsInode}`, namespace: "system", name, addresses, interface: pod };
}

function batch(options: readonly string[], lines: readonly string[]): void {
  if (lines.length === 0) return;
  execFileSync("ip", [...options, "-batch", "-"], { input: `${lines.join("\n")}\n`, stdio: ["pipe", "pipe", "pipe"] });
}

const byte = (value: number): string => value.toString(16).padStart(2, "0");
