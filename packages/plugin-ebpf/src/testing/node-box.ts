import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeProxy, PodInterface, Workload } from "@millrace/core";
import { run, runIn } from "./run.ts";

/** A pod of the box: a namespace with one veth pair, routed point to point as the common CNI plugins do it. */
export interface BoxPod {
  readonly name: string;
  readonly netns: string;
  readonly addresses: readonly string[];
  readonly ipv4: string;
  readonly ipv6: string;
  readonly interface: PodInterface;
}

let boxes = 0;

/**
 * A node in namespaces of its own: network, and mounts with a BPF file system that outlives the agents started in it. Addresses are
 * from the benchmarking ranges (RFC 2544, RFC 5180). Disposing removes everything.
 */
export class NodeBox implements Disposable {
  readonly netns: string;
  readonly directory: string;
  readonly #pods = new Map<string, BoxPod>();
  readonly #mounts: ChildProcess;

  private constructor(netns: string, directory: string, mounts: ChildProcess) {
    this.netns = netns;
    this.directory = directory;
    this.#mounts = mounts;
  }

  static async create(): Promise<NodeBox> {
    boxes += 1;
    const netns = `mrf${process.pid}x${boxes}`;
    const directory = mkdtempSync(join(tmpdir(), "millrace-ebpf-"));
    const mounts = spawn("unshare", ["--mount", "--propagation", "slave", "sh", "-c", SETUP, "sh", directory], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const box = new NodeBox(netns, directory, mounts);
    try {
      await new Promise((resolve, reject) => {
        mounts.stdout?.once("data", resolve);
        mounts.once("exit", (code) => reject(new Error(`the mount namespace ended with ${code}`)));
      });
      run("ip", "netns", "add", netns);
      runIn(netns, "ip", "link", "set", "lo", "up");
      runIn(netns, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
      return box;
    } catch (error) {
      box[Symbol.dispose]();
      throw error;
    }
  }

  get pods(): readonly BoxPod[] {
    return [...this.#pods.values()];
  }

  get bpffs(): string {
    return join(this.directory, "bpf");
  }

  get journal(): string {
    return join(this.directory, "journal");
  }

  /** The BPF file system as this process can see it, through the mount namespace's root. */
  get visibleBpffs(): string {
    return `/proc/${this.#mounts.pid}/root${this.bpffs}`;
  }

  /** Arguments for nsenter that lead into the box. */
  get enter(): string[] {
    return [`--mount=/proc/${this.#mounts.pid}/ns/mnt`, `--net=/run/netns/${this.netns}`];
  }

  inside(command: string, ...args: string[]): string {
    return run("nsenter", ...this.enter, command, ...args);
  }

  addPod(name: string): BoxPod {
    const number = this.#pods.size + 11;
    const netns = `${this.netns}-${name}`;
    const hostName = `h-${name}`;
    const ipv4 = `198.18.1.${number}`;
    const ipv6 = `2001:2:0:1::${number.toString(16)}`;
    run("ip", "netns", "add", netns);
    const batch = [
      `link add ${hostName} type veth peer name eth0 netns ${netns}`,
      `link set ${hostName} addrgenmode none`,
      `link set ${hostName} up`,
      `addr add 198.18.1.1/32 dev ${hostName}`,
      `addr add fe80::1/64 dev ${hostName} nodad`,
      `route add ${ipv4}/32 dev ${hostName}`,
      `route add ${ipv6}/128 dev ${hostName}`,
    ];
    ipBatch(this.netns, batch);
    ipBatch(netns, [
      "link set lo up",
      "link set eth0 addrgenmode none",
      "link set eth0 up",
      `addr add fe80::${number.toString(16)}/64 dev eth0 nodad`,
      `addr add ${ipv4}/32 dev eth0`,
      `addr add ${ipv6}/128 dev eth0 nodad`,
      "route add 198.18.1.1 dev eth0",
      "route add default via 198.18.1.1 dev eth0",
      "route add default via fe80::1 dev eth0",
    ]);
    const [inner] = JSON.parse(runIn(netns, "ip", "-j", "link", "show", "eth0"));
    const [outer] = JSON.parse(runIn(this.netns, "ip", "-j", "link", "show", hostName));
    const pod: BoxPod = {
      name,
      netns,
      addresses: [ipv4, ipv6],
      ipv4,
      ipv6,
      interface: {
        netns: `/run/netns/${netns}`,
        netnsInode: statSync(`/run/netns/${netns}`).ino,
        name: "eth0",
        mac: inner.address,
        hostName,
        hostIndex: outer.ifindex,
      },
    };
    this.#pods.set(name, pod);
    return pod;
  }

  /** As the runtime deletes a pod: its interface first, then its namespace. */
  removePod(pod: BoxPod): void {
    runIn(this.netns, "ip", "link", "del", pod.interface.hostName);
    run("ip", "netns", "del", pod.netns);
    this.#pods.delete(pod.name);
  }

  /** Removes whatever of it there is, also when making it failed half way. */
  [Symbol.dispose](): void {
    this.#mounts.kill("SIGKILL");
    for (const name of readdirSync("/run/netns")) {
      if (name === this.netns || name.startsWith(`${this.netns}-`)) run("ip", "netns", "del", name);
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function workloadOf(pod: BoxPod, more: Partial<Workload> = {}): Workload {
  const base = { uid: `uid-${pod.name}`, namespace: "test", name: pod.name, addresses: [...pod.addresses].sort() };
  return {
    ...base,
    interface: pod.interface,
    enrolExisting: "drain",
    dnsCapture: false,
    exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
    ...more,
  };
}

export function proxyOf(pod: BoxPod, more: Partial<NodeProxy> = {}): NodeProxy {
  const base = {
    uid: `uid-${pod.name}`,
    key: `${pod.name}@${pod.interface.netnsInode}`,
    namespace: "system",
    name: pod.name,
  };
  return { ...base, addresses: [...pod.addresses].sort(), interface: pod.interface, ...more };
}

function ipBatch(netns: string, lines: readonly string[]): void {
  execFileSync("nsenter", [`--net=/run/netns/${netns}`, "ip", "-batch", "-"], {
    input: lines.join("\n"),
    stdio: ["pipe", "pipe", "pipe"],
  });
}

/** Mounts the BPF file system, says so, and stays until its standard input ends. */
const SETUP = 'mkdir -p "$1/bpf" && mount -t bpf bpf "$1/bpf" && echo ready && exec cat >/dev/null';
