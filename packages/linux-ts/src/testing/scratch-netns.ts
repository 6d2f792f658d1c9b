import { execFileSync } from "node:child_process";
import { type Netns, openNetns } from "../index.ts";

let count = 0;

/** A network namespace for one test, gone when disposed, and the tools of iproute2 and a shell inside it. */
export class ScratchNetns implements Disposable {
  readonly name: string;
  readonly netns: Netns;

  constructor() {
    this.name = `linux-ts-${process.pid}-${count++}`;
    execFileSync("ip", ["netns", "add", this.name]);
    try {
      this.netns = openNetns(this.path);
    } catch (error) {
      execFileSync("ip", ["netns", "del", this.name]);
      throw error;
    }
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  get fd(): number {
    return this.netns.fd;
  }

  /** Runs a shell script here and returns what it printed; throws at the first command that fails. */
  sh(script: string): string {
    const args = [`--net=${this.path}`, "sh", "-euc", script];
    return execFileSync("nsenter", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 20_000 });
  }

  /** Runs `ip` commands here, one a line, as a batch; the first that fails ends it. */
  ip(commands: string): void {
    this.#batch([], commands);
  }

  /** The same with `ip -6`. */
  ip6(commands: string): void {
    this.#batch(["-6"], commands);
  }

  /** What `ip -j <args>` prints. */
  ipJson<T>(args: string): T {
    return JSON.parse(execFileSync("ip", ["-n", this.name, "-j", ...args.split(" ")], { encoding: "utf8" })) as T;
  }

  tc(args: string[]): void {
    execFileSync("tc", ["-n", this.name, ...args]);
  }

  tcJson<T>(args: string): T {
    return JSON.parse(execFileSync("tc", ["-n", this.name, "-j", ...args.split(" ")], { encoding: "utf8" })) as T;
  }

  /**
   * Waits until what the kernel does later by itself is done: carrier, duplicate detection, link-local addresses and their routes
   * (net/core/link_watch.c, net/ipv6/addrconf.c).
   */
  async settled(): Promise<void> {
    const state = () => JSON.stringify([this.ipJson("addr"), this.ipJson("-6 route show table all")]);
    let previous = "";
    await until(
      "addresses and routes stay as they are",
      () => {
        const last = previous;
        previous = state();
        return last === previous;
      },
      150,
    );
  }

  #batch(options: string[], commands: string): void {
    const lines = commands.split("\n").map((line) => line.trim());
    const input = `${lines.filter(Boolean).join("\n")}\n`;
    execFileSync("ip", [...options, "-n", this.name, "-batch", "-"], { input });
  }

  [Symbol.dispose](): void {
    this.netns[Symbol.dispose]();
    execFileSync("ip", ["netns", "del", this.name]);
  }
}

/** Waits, at most ten seconds, until it holds; looks every so many milliseconds. */
export async function until(what: string, holds: () => boolean, interval = 5): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}
