import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openNetns } from "linux-ts";

export interface PodOptions {
  readonly addresses: readonly string[];
  /** An exact route from the node to each address, as host-routed CNIs make it. */
  readonly routed?: boolean;
}

let count = 0;

/**
 * A network namespace that plays the node, and more that play pods, each with a veth pair to it. All go with the node, and those
 * of a run that was killed can be told by the process id in their names.
 */
export class TestNode implements Disposable {
  readonly name = `mw${process.pid}-${count++}`;
  readonly path = `/run/netns/${this.name}`;
  /** Holds a link to each pod's namespace, so that discovery sees no namespace of anybody else. */
  readonly netnsDirectory = mkdtempSync(join(tmpdir(), "mw-netns-"));
  readonly #namespaces = new Set<string>();

  constructor() {
    ip("netns", "add", this.name);
    this.#namespaces.add(this.name);
    this.ip("link", "set", "lo", "up");
  }

  /** ip(8) in the node's namespace. */
  ip(...args: string[]): string {
    return ip("-n", this.name, ...args);
  }

  addPod(pod: string, { addresses, routed = false }: PodOptions): { path: string; inode: number; hostIfName: string } {
    const netns = this.addNetns(pod);
    const hostIfName = `h-${pod}`;
    this.ip("link", "add", hostIfName, "type", "veth", "peer", "name", "eth0", "netns", netns.name);
    this.ip("link", "set", hostIfName, "up");
    ip("-n", netns.name, "link", "set", "eth0", "up");
    for (const address of addresses) {
      const prefix = address.includes(":") ? [`${address}/128`, "nodad"] : [`${address}/32`];
      ip("-n", netns.name, "addr", "add", ...prefix, "dev", "eth0");
      if (routed) this.ip("route", "add", prefix[0] as string, "dev", hostIfName);
    }
    return { path: netns.path, inode: netns.inode, hostIfName };
  }

  addNetns(pod: string): { name: string; path: string; inode: number } {
    const name = `${this.name}-${pod}`;
    ip("netns", "add", name);
    this.#namespaces.add(name);
    symlinkSync(`/run/netns/${name}`, join(this.netnsDirectory, name));
    using netns = openNetns(`/run/netns/${name}`);
    return { name, path: join(this.netnsDirectory, name), inode: netns.inode };
  }

  removePod(pod: string): void {
    const name = `${this.name}-${pod}`;
    ip("netns", "del", name);
    rmSync(join(this.netnsDirectory, name));
    this.#namespaces.delete(name);
  }

  [Symbol.dispose](): void {
    for (const name of this.#namespaces) ip("netns", "del", name);
    rmSync(this.netnsDirectory, { recursive: true, force: true });
  }
}

export function ip(...args: string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", timeout: 10_000, stdio: ["ignore", "pipe", "pipe"] });
}
