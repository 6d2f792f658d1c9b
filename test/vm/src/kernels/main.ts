#!/usr/bin/env node
import { homedir } from "node:os";
import { join } from "node:path";
import { VmError } from "../errors.ts";
import { KERNEL_LINES, type KernelLine } from "./archive.ts";
import { fetchKernel } from "./kernels.ts";

const USAGE = `Usage: node test/vm/dist/kernels/main.ts [--refresh] <line>…

Prints the folder of Debian's newest kernel of each line (${Object.keys(KERNEL_LINES).join(", ")}), downloaded if needed.
--refresh asks the archive again.
`;

const args = process.argv.slice(2);
const lines = args.filter((arg) => arg !== "--refresh");
try {
  const unknown = lines.find((line) => !Object.hasOwn(KERNEL_LINES, line));
  if (lines.length === 0 || unknown !== undefined) throw new VmError("ERR_VM_USAGE", USAGE);
  for (const line of lines) {
    const directory = fetchKernel(line as KernelLine, {
      cache: process.env.MILLRACE_CACHE ?? join(homedir(), ".cache", "millrace"),
      refresh: args.includes("--refresh"),
      onProgress: (message) => process.stderr.write(`kernels: ${message}\n`),
    });
    process.stdout.write(`${directory}\n`);
  }
} catch (error) {
  if (!(error instanceof VmError)) throw error;
  process.stderr.write(`kernels: ${error.message}\n`);
  process.exitCode = error.code === "ERR_VM_USAGE" ? 2 : 1;
}
