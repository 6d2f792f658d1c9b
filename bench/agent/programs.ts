import { execFile } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { MILLRACE_COMMAND } from "@millrace/conformance";

/** What a BPF program takes for a packet, beside one that does nothing. */
export interface ProgramCost {
  /** With what becomes of the packet. */
  readonly name: string;
  readonly nanoseconds: number;
}

/** By `make bench-bpf`'s own program: the fastest go of ten thousand runs among so many. */
export async function measurePrograms(runs: number): Promise<ProgramCost[]> {
  const root = resolve(dirname(MILLRACE_COMMAND.at(-1) ?? ""), "../../..");
  const program = join(root, "bpf/test/bench/main.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...["--conditions=source", "--disable-warning=ExperimentalWarning"],
    ...[program, "--repeat", `${runs}`, "--json"],
  ]);
  return JSON.parse(stdout);
}
