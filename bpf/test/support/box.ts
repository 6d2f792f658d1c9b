import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { link, type Netns, openNetns, tcpSockets, writeSysctl } from "linux-ts";
import { Running } from "./process.ts";

let made = 0;

/** A pod of the node: point-to-point routing, /32 and /128, as most CNI plugins make it. */
export interface Pod {
  readonly name: string;
  readonly netns: Netns;
  readonly ipv4: string;
  readonly ipv6: string;
  /** Of its eth0. */
  readonly mac: string;
  /** The host end of its veth, in the node's namespace. */
  readonly hostName: string;
  readonly hostIfindex: number;
}

/** The address that every host veth has; the pods' gateway. */
export const NODE_IPV4 = "198.18.1.1";
/** An address of the node that pods reach by routing. */
export const NODE_IPV6 = "2001:2:0:1::1";

/** A node and its pods out of network namespaces, gone with its disposal. */
export class Box implements AsyncDisposable {
  readonly node: Netns;
  readonly #prefix = `bpft${process.pid}-${made++}`;
  readonly #stack = new AsyncDisposableStack();
  #pods = 0;

  constructor() {
    this.node = this.addNetns("node");
    writeSysctl(this.node.fd, "net/ipv4/ip_forward", 1);
    writeSysctl(this.node.fd, "net/ipv6/conf/all/forwarding", 1);
    this.ip(this.node, `addr add ${NODE_IPV6}/128 dev lo`);
  }

  addNetns(name: string): Netns {
    const full = `${this.#prefix}-${name}`;
    execFileSync("ip", ["netns", "add", full]);
    this.#stack.defer(() => void execFileSync("ip", ["netns", "del", full]));
    const netns = this.#stack.use(openNetns(`/run/netns/${full}`));
    for (const which of ["all", "default"]) {
      writeSysctl(netns.fd, `net/ipv4/conf/${which}/rp_filter`, 0);
      writeSysctl(netns.fd, `net/ipv6/conf/${which}/accept_dad`, 0);
    }
    this.ip(netns, "link set lo up");
    return netns;
  }

  /** Carries out lines of `ip -batch` in a namespace. Say the family where no address does. */
  ip(netns: Netns, ...lines: readonly string[]): void {
    this.#ip(netns, [], lines);
  }

  ip4(netns: Netns, ...lines: readonly string[]): void {
    this.#ip(netns, ["-4"], lines);
  }

  ip6(netns: Netns, ...lines: readonly string[]): void {
    this.#ip(netns, ["-6"], lines);
  }

  #ip(netns: Netns, options: readonly string[], lines: readonly string[]): void {
    execFileSync("nsenter", [`--net=${netns.path}`, "ip", ...options, "-batch", "-"], {
      input: `${lines.join("\n")}\n`,
    });
  }

  addPod(name: string): Pod {
    const netns = this.addNetns(name);
    const number = 10 + this.#pods++;
    const [ipv4, ipv6, hostName] = [`198.18.1.${number}`, `2001:2:0:1::${number.toString(16)}`, `h-${name}`];
    this.ip(
      this.node,
      `link add ${hostName} type veth peer name eth0 netns ${this.#prefix}-${name}`,
      `addr add ${NODE_IPV4}/32 dev ${hostName}`,
      `addr add fe80::1/64 dev ${hostName} nodad`,
      `link set ${hostName} up`,
    );
    this.ip(
      netns,
      `addr add ${ipv4}/32 dev eth0`,
      `addr add ${ipv6}/128 dev eth0 nodad`,
      "link set eth0 up",
      `route add ${NODE_IPV4} dev eth0 scope link`,
      `route add default via ${NODE_IPV4} dev eth0`,
      "route add default via fe80::1 dev eth0",
    );
    this.ip(this.node, `route add ${ipv4}/32 dev ${hostName} scope link`, `route add ${ipv6}/128 dev ${hostName}`);
    const mac = link(netns.fd, "eth0")?.mac ?? "";
    const hostIfindex = link(this.node.fd, hostName)?.index ?? 0;
    return { name, netns, ipv4, ipv6, mac, hostName, hostIfindex };
  }

  /** Of the host end of a pod's veth, its gateway. */
  macOf(pod: Pod): string {
    return link(this.node.fd, pod.hostName)?.mac ?? "";
  }

  start(netns: Netns, file: string, ...args: readonly string[]): Running {
    return this.#stack.use(new Running(netns, file, args));
  }

  /** Something to be disposed of before the namespaces. */
  use<T extends Disposable | AsyncDisposable>(value: T): T {
    return this.#stack.use(value);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack[Symbol.asyncDispose]();
  }
}

/** Waits until something holds, looking every few milliseconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 10): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
    await sleep(10);
  }
}

export function untilListening(netns: Netns, port: number, family: 4 | 6): Promise<void> {
  const listens = () =>
    tcpSockets(netns.fd, { states: ["listen"] }).some(
      (socket) => socket.sourcePort === port && socket.family === family,
    );
  return until(`a listener on port ${port}`, listens);
}
