import { HostError, type runProgram } from "@millrace/core/host";
import type { HostAccess, HostNetns, ProgramEnd, ProgramInput } from "@millrace/host";

/** Something that a backend did, in order. */
export type HostCall =
  | { readonly kind: "sysctl"; readonly netns: string; readonly path: string; readonly value: string }
  | {
      readonly kind: "program";
      readonly netns: string;
      readonly program: string;
      readonly args: readonly string[];
      readonly input: string;
    };

/** What a program of the fake does: ends well without a word where it says nothing else. */
export type FakeProgram = (
  call: Extract<HostCall, { kind: "program" }>,
) => Partial<ProgramEnd> | Promise<Partial<ProgramEnd>>;

export interface FakeHostOptions {
  /** Programs that are installed, by name; no other is. */
  readonly programs?: Readonly<Record<string, FakeProgram>>;
  /** Sysctls that every namespace has, with their first values; a value that is a number takes numbers only. */
  readonly sysctls?: Readonly<Record<string, string | number>>;
}

/** What its own namespace is called in {@link FakeHost.calls}. */
export const NODE_NETNS = "node";

/** Of a new namespace of Linux, as far as redirection is about them. */
const SYSCTLS: Readonly<Record<string, string | number>> = {
  "net/ipv4/ip_forward": 0,
  "net/ipv4/conf/all/rp_filter": 0,
  "net/ipv4/conf/default/rp_filter": 0,
  "net/ipv4/conf/all/route_localnet": 0,
  "net/ipv6/conf/all/forwarding": 0,
};

/**
 * A host in memory, for unit tests of a backend without root: network namespaces, sysctls and programs, with the contract of `hostAccess` of
 * `@millrace/host`. It carries no packet: what the backend is for is shown by the behaviours.
 */
export class FakeHost implements HostAccess {
  /** Everything that was written and run. */
  readonly calls: HostCall[] = [];
  readonly #options: FakeHostOptions;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #own: Namespace;
  #nextInode = 4_026_532_000;

  constructor(options: FakeHostOptions = {}) {
    this.#options = options;
    this.#own = this.#namespace(NODE_NETNS);
  }

  /** Makes a network namespace under that path, in place of one that is there. Returns its inode number. */
  addNetns(path: string): number {
    const namespace = this.#namespace(path);
    this.#namespaces.set(path, namespace);
    return namespace.inode;
  }

  /** As when a pod goes: whoever has it open keeps it. */
  removeNetns(path: string): void {
    this.#namespaces.delete(path);
  }

  netns(path?: string): HostNetns {
    const namespace = path === undefined ? this.#own : this.#namespaces.get(path);
    if (namespace === undefined) throw failure("ENOENT", `opening the network namespace ${path}: no such file`);
    return {
      inode: namespace.inode,
      readSysctl: (name) => sysctlOf(namespace, name),
      writeSysctl: (name, value) => this.#write(namespace, name, String(value)),
      run: (program, args, options) => this.#run(namespace, program, args, options ?? {}),
      [Symbol.dispose]: () => undefined,
    };
  }

  /**
   * `runProgram` of `@millrace/core/host` on this host, for a backend that is given it as a value: the same errors, and what the program prints. It is free of
   * its host, as the real one is.
   */
  readonly runProgram: typeof runProgram = async (command, { netns, input, signal } = {}) => {
    const [program = "", ...args] = command;
    const failed = (why: string) => new HostError("ERR_PROGRAM_FAILED", `${command.join(" ")}: ${why}`);
    const place = netns === undefined ? this.#own : this.#namespaces.get(String(netns));
    if (place === undefined) throw failed(`there is no network namespace ${netns}`);
    if (this.#options.programs?.[program] === undefined)
      throw new HostError("ERR_PROGRAM_MISSING", `${program} is not installed: give the fake host one`);
    const end = await this.#run(place, program, args, {
      ...(input !== undefined && { input }),
      ...(signal && { signal }),
    });
    if (end.status !== 0) throw failed(end.stderr.trim() || `it ended with exit code ${end.status}`);
    return end.stdout;
  };

  /** What was run of one program, as words: `["nft", "-f", "-"]`. */
  commands(program: string): readonly (readonly string[])[] {
    return this.calls.flatMap((call) =>
      call.kind === "program" && call.program === program ? [[program, ...call.args]] : [],
    );
  }

  #namespace(name: string): Namespace {
    const sysctls = Object.entries({ ...SYSCTLS, ...this.#options.sysctls });
    return {
      name,
      inode: this.#nextInode++,
      sysctls: new Map(sysctls.map(([path, value]) => [path, String(value)])),
    };
  }

  #write(namespace: Namespace, path: string, value: string): void {
    const before = sysctlOf(namespace, path);
    if (/^-?\d+$/.test(before) && !/^\s*-?\d+\s*$/.test(value)) {
      throw failure("EINVAL", `writing "${value}" to the sysctl ${path}: it takes a number`);
    }
    namespace.sysctls.set(path, value.trim());
    this.calls.push({ kind: "sysctl", netns: namespace.name, path, value });
  }

  async #run(
    { name }: Namespace,
    program: string,
    args: readonly string[],
    { input = "", signal }: ProgramInput,
  ): Promise<ProgramEnd> {
    signal?.throwIfAborted();
    const installed = this.#options.programs?.[program];
    if (installed === undefined) throw failure("ENOENT", `${program} is not installed: give the fake host one`);
    const call = { kind: "program", netns: name, program, args: [...args], input } as const;
    this.calls.push(call);
    return { status: 0, stdout: "", stderr: "", ...(await installed(call)) };
  }
}

interface Namespace {
  readonly name: string;
  readonly inode: number;
  readonly sysctls: Map<string, string>;
}

function sysctlOf({ sysctls, name }: Namespace, path: string): string {
  const value = sysctls.get(path);
  if (value === undefined) throw failure("ENOENT", `reading the sysctl ${path} of ${name}: there is none`);
  return value;
}

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code });
