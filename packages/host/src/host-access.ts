import { spawn } from "node:child_process";
import { buffer } from "node:stream/consumers";
import { currentNetns, type Netns, openNetns, readSysctl, writeSysctl } from "linux-ts";

/**
 * What a backend does to a host by way of files and programs. A backend that takes it as a value can be tried without root on the fake
 * of the conformance kit, which keeps the same contract.
 */
export interface HostAccess {
  /**
   * Opens a network namespace by a path that refers to it (`PodInterface.netns`), or this process's own. It stays that namespace, whatever becomes
   * of the path. Throws an error with the code `ENOENT` when nothing is there, `ERR_NOT_A_NETNS` when it is no network namespace.
   */
  netns(path?: string): HostNetns;
}

/** An open network namespace; disposing of it changes nothing in it. */
export interface HostNetns extends Disposable {
  /** Tells it from every other one that exists. */
  readonly inode: number;
  /** A setting below /proc/sys by its path, as `net/ipv4/ip_forward`, without the newline. Throws with the code `ENOENT`. */
  readSysctl(path: string): string;
  /** Throws with the codes `ENOENT`, `EINVAL` for a value that the kernel refuses. */
  writeSysctl(path: string, value: string | number): void;
  /** Runs a program in the namespace to its end, whatever its status. Rejects with the code `ENOENT` when it is not installed, and when aborted. */
  run(program: string, args: readonly string[], options?: ProgramInput): Promise<ProgramEnd>;
}

export interface ProgramInput {
  /** Its standard input; default nothing. */
  readonly input?: string;
  /** Kills it. */
  readonly signal?: AbortSignal;
}

export interface ProgramEnd {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The host itself. Needs CAP_SYS_ADMIN for namespaces of others. */
export const hostAccess: HostAccess = {
  netns: (path) => access(path === undefined ? currentNetns() : openNetns(path)),
};

function access(netns: Netns): HostNetns {
  return {
    inode: netns.inode,
    readSysctl: (path) => readSysctl(netns.fd, path),
    writeSysctl: (path, value) => writeSysctl(netns.fd, path, value),
    run: (program, args, options) => run(netns.fd, program, args, options ?? {}),
    [Symbol.dispose]: () => netns[Symbol.dispose](),
  };
}

/** Where the child finds the namespace: Node opens all its own descriptors with O_CLOEXEC, so this one is handed over. */
const CHILD_NETNS = 3;
/** nsenter(1) and the shells: there is no such program (util-linux, include/exitcodes.h, EX_EXEC_ENOENT). */
const NOT_FOUND = 127;

async function run(
  netns: number,
  program: string,
  args: readonly string[],
  { input = "", signal }: ProgramInput,
): Promise<ProgramEnd> {
  const child = spawn("nsenter", [`--net=/proc/self/fd/${CHILD_NETNS}`, "--", program, ...args], {
    stdio: ["pipe", "pipe", "pipe", netns],
    killSignal: "SIGKILL",
    ...(signal === undefined ? {} : { signal }),
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, by) => {
      if (status === null) reject(new Error(`${program} was killed by ${by}`));
      else resolve(status);
    });
  });
  // It may end before it has read its input: how it ends tells more than the EPIPE.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(input);
  const [status, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (status === NOT_FOUND && stderr.startsWith("nsenter: failed to execute")) {
    throw Object.assign(new Error(`${program} is not installed, or not on PATH`), { code: "ENOENT" });
  }
  return { status, stdout, stderr };
}

const text = async (stream: NodeJS.ReadableStream | null): Promise<string> =>
  stream === null ? "" : (await buffer(stream)).toString();
