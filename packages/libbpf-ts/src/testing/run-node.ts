import { spawnSync } from "node:child_process";

const index = new URL("../index.ts", import.meta.url).href;

/**
 * Runs a module's text in a process of its own, where `bpf` is this package. Returns how it ended and what it printed.
 * @param wrap a command before node, for instance `setpriv …`
 */
export function runNode(source: string, ...wrap: string[]) {
  const program = `const bpf = await import(${JSON.stringify(index)});\n${source}`;
  const [command = "", ...args] = [...wrap, process.execPath, "--conditions=source", "--expose-gc"];
  const { status, signal, stdout, stderr } = spawnSync(command, [...args, "--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 280_000,
  });
  return { status, signal, stdout: stdout.trim(), stderr };
}
