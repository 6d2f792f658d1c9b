import { execFileSync } from "node:child_process";
import { type Netns, openNetns } from "linux-ts";

let count = 0;

/** A network namespace for one test, gone when disposed. */
export class ScratchNetns implements Disposable {
  readonly name: string;
  readonly netns: Netns;

  constructor() {
    this.name = `mr-ipt-${process.pid}-${count++}`;
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

  [Symbol.dispose](): void {
    this.netns[Symbol.dispose]();
    execFileSync("ip", ["netns", "del", this.name]);
  }
}
