import { execFileSync } from "node:child_process";

/** Runs a command to its end and returns what it printed; throws with its standard error when it fails. */
export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 20_000 });
}

/** The same inside a network namespace by name. `nsenter`, because `ip netns exec` would mount another /sys over this one. */
export function runIn(netns: string, command: string, ...args: string[]): string {
  return run("nsenter", `--net=/run/netns/${netns}`, command, ...args);
}
