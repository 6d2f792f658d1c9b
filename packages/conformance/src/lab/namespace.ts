import { statSync } from "node:fs";
import { deleteNeighbour, neighbours, openNetns, writeSysctl } from "linux-ts";
import { type CommandOptions, type Finished, run, runChecked } from "../programs/command.ts";
import { Program, type ProgramOptions } from "../programs/program.ts";

/** Where `ip netns` keeps its namespaces (iproute2, `NETNS_RUN_DIR`). */
export const NETNS_DIRECTORY = "/run/netns";

/**
 * A named network namespace. Commands enter it by `nsenter --net`, which changes nothing else: `ip netns exec` would
 * remount /sys and hide the BPF and cgroup file systems.
 */
export class Namespace {
  readonly name: string;
  /** `/run/netns/<name>`. */
  readonly path: string;
  /** Tells this namespace from a later one of the same name. */
  readonly inode: number;

  constructor(name: string) {
    this.name = name;
    this.path = `${NETNS_DIRECTORY}/${name}`;
    this.inode = statSync(this.path).ino;
  }

  /** Runs a command in the namespace to its end. */
  run(file: string, args: readonly string[], options?: CommandOptions): Promise<Finished> {
    return run("nsenter", [`--net=${this.path}`, "--", file, ...args], options);
  }

  /** As {@link run}, for a command that must succeed; returns its output. Throws ERR_LAB_COMMAND. */
  runChecked(file: string, args: readonly string[], options?: CommandOptions): Promise<string> {
    return runChecked("nsenter", [`--net=${this.path}`, "--", file, ...args], options);
  }

  /** Starts a program that goes on running in the namespace. Prefer a pod's or node's `start`, which also ends it. */
  start(name: string, file: string, args: readonly string[], options?: ProgramOptions): Program {
    return Program.start(`${name} in ${this.name}`, "nsenter", [`--net=${this.path}`, "--", file, ...args], options);
  }

  /** Carries out lines of `ip -batch`; one process for all of them. Throws ERR_LAB_COMMAND with the line at fault. */
  async ip(...lines: readonly string[]): Promise<void> {
    await runChecked("ip", ["-n", this.name, "-batch", "-"], { input: `${lines.join("\n")}\n` });
  }

  /** Sets several sysctls, named with dots (`net.ipv4.ip_forward`). A name with a dot in it is written with slashes. Throws LinuxError. */
  async setSysctls(values: Readonly<Record<string, number | string>>): Promise<void> {
    using netns = openNetns(this.path);
    // Not by a process: three hundred pods are given six each.
    for (const [name, value] of Object.entries(values)) {
      writeSysctl(netns.fd, name.includes("/") ? name : name.replaceAll(".", "/"), value);
    }
  }

  /** Forgets whom it has learnt to reach, or tried to, as `ip neigh flush all` does: what is configured stays. Throws LinuxError. */
  forgetNeighbours(): void {
    using netns = openNetns(this.path);
    for (const neighbour of neighbours(netns.fd)) {
      if (neighbour.state !== "permanent" && neighbour.state !== "noarp") deleteNeighbour(netns.fd, neighbour);
    }
  }

  async sysctl(name: string): Promise<string> {
    return (await this.runChecked("sysctl", ["-n", name])).trim();
  }

  /** Feeds a script to `nft -f -`: one transaction. */
  async nft(script: string): Promise<void> {
    await this.runChecked("nft", ["-f", "-"], { input: script });
  }
}
