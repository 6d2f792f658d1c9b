import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { isAgent, noteOfLog } from "@millrace/conformance";

const MAIN = join(import.meta.dirname, "..", "main.ts");
const TIMEOUT_MS = 30_000;

export interface MillraceOptions {
  /** Put before the command, for instance `["setpriv", "--reuid=65534", "--"]`. */
  readonly prefix?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real command, from its sources. Without the caller's colours and settings. */
export function commandLine(args: readonly string[], prefix: readonly string[] = []): [string, ...string[]] {
  const [first, ...rest] = [...prefix, process.execPath, "--conditions=source", MAIN, ...args];
  return [first as string, ...rest];
}

export function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(MILLRACE_|NO_COLOR$|FORCE_COLOR$|NODE_|VITEST)/.test(name),
  );
  return { ...Object.fromEntries(kept), ...extra };
}

export function spawnMillrace(
  args: readonly string[],
  options: MillraceOptions = {},
): ChildProcessByStdio<null, Readable, Readable> {
  const [file, ...rest] = commandLine(args, options.prefix);
  if (isAgent(args)) noteOfLog({ kind: "started" });
  return spawn(file, rest, {
    stdio: ["ignore", "pipe", "pipe"],
    env: environment(options.env),
    timeout: options.timeoutMs ?? TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
}

/** Runs it to its end. */
export async function millrace(args: readonly string[], options: MillraceOptions = {}): Promise<Finished> {
  const child = spawnMillrace(args, options);
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | null; signal: NodeJS.Signals | null }>();
  child.on("error", reject).on("close", (code, signal) => resolve({ code, signal }));
  const [stdout, stderr, end] = await Promise.all([text(child.stdout), text(child.stderr), promise]);
  if (isAgent(args) && (end.code ?? 0) !== 0) noteOfLog({ kind: "refused" });
  return { ...end, stdout, stderr };
}
