import { execFileSync } from "node:child_process";

/** Runs a program to its end; what it printed, or an error with all of it. */
export function run(cwd: string, command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 1 << 26,
    });
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`release: '${command} ${args.join(" ")}' in ${cwd} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
