import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { PLAIN } from "./environment.ts";

let made = 0;

/** A network namespace of one's own, removed by disposal. It has `lo` only, down. */
export class TestNetns implements Disposable {
  readonly name = `lbt${process.pid}-${made++}`;
  readonly path = `/run/netns/${this.name}`;
  readonly fd: number;
  #gone = false;

  constructor() {
    execFileSync("ip", ["netns", "add", this.name], { env: PLAIN });
    this.fd = openSync(this.path, "r");
  }

  /** Runs a command inside and returns what it prints. */
  run(command: string, ...args: string[]): string {
    return execFileSync("nsenter", [`--net=${this.path}`, command, ...args], {
      encoding: "utf8",
      timeout: 10_000,
      env: PLAIN,
    });
  }

  /** A veth pair with 198.18.0.1/24 on the first end, both up; returns the first end's index. */
  addVeth(name = "v0", peer = "v1"): number {
    this.run("ip", "link", "add", name, "type", "veth", "peer", "name", peer);
    this.run("ip", "addr", "add", "198.18.0.1/24", "dev", name);
    for (const end of [name, peer]) this.run("ip", "link", "set", end, "up");
    return this.ifindex(name);
  }

  ifindex(name: string): number {
    return Number(JSON.parse(this.run("ip", "-j", "link", "show", name))[0].ifindex);
  }

  /** Again is harmless, so a test may end the namespace early. */
  [Symbol.dispose](): void {
    if (this.#gone) return;
    this.#gone = true;
    closeSync(this.fd);
    execFileSync("ip", ["netns", "del", this.name], { env: PLAIN });
  }
}
