import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

/** The CNI plugin as `make build` leaves it. */
const plugin = join(import.meta.dirname, "../../../cni/build/millrace");

/** cnitool and the plugins of go.mod; builds them when that has not been done on this machine. */
export function builtPrograms(): string {
  const script = join(import.meta.dirname, "../build.sh");
  return execFileSync(script, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
}

export interface Done {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let count = 0;

/**
 * A container runtime on a node of its own: network namespaces for the node and for pods, a CNI directory with our plugin in it, and
 * libcni, which executes what a conflist names. All of it goes with this.
 */
export class Runtime implements Disposable {
  readonly node = `mc${process.pid}-${count++}`;
  /** Everything that is a file: the CNI directories, the state of libcni and of the plugins, sockets. */
  readonly directory = mkdtempSync(join(tmpdir(), "millrace-chain-"));
  readonly #cnitool: string;
  readonly #namespaces: string[] = [];

  /** `cnitool` and the plugins are taken from `programs`, those of the second directory before those of the first. */
  constructor(programs: string, other?: string) {
    this.#cnitool = join(programs, "cnitool");
    for (const name of ["bin", "net.d", "state", "ipam"]) mkdirSync(join(this.directory, name));
    for (const from of other === undefined ? [programs] : [other, programs])
      for (const name of readdirSync(from)) this.#take(join(from, name), name);
    copyFileSync(plugin, join(this.directory, "bin/millrace"));
    this.#addNamespace(this.node);
  }

  #take(file: string, name: string): void {
    try {
      symlinkSync(file, join(this.directory, "bin", name));
    } catch (error) {
      // The directory before this one had it too.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }

  get socket(): string {
    return join(this.directory, "cni.sock");
  }

  get netns(): string {
    return `/run/netns/${this.node}`;
  }

  addPod(name: string): string {
    this.#addNamespace(`${this.node}-${name}`);
    return `/run/netns/${this.node}-${name}`;
  }

  #addNamespace(name: string): void {
    execFileSync("ip", ["netns", "add", name]);
    this.#namespaces.push(name);
    execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
  }

  /** Writes the one network there is: `first` makes the interface, then comes ours. */
  configure(cniVersion: string, first: object, own: object = {}): void {
    const plugins = [first, { type: "millrace", socket: this.socket, deadlineSeconds: 5, ...own }];
    writeFileSync(
      join(this.directory, "net.d/10-chain.conflist"),
      JSON.stringify({ cniVersion, name: "chain", plugins }),
    );
  }

  /** host-local's addresses, both families, from the ranges that tests may use. */
  get ipam(): object {
    const ranges = [[{ subnet: "198.18.77.0/24" }], [{ subnet: "2001:2:0:77::/64" }]];
    const routes = [{ dst: "0.0.0.0/0" }, { dst: "::/0" }];
    return { type: "host-local", dataDir: join(this.directory, "ipam"), ranges, routes };
  }

  /**
   * Executes `cnitool <command> chain <netns>` in the node's network namespace. libcni keeps results under /var/lib/cni: a directory of ours
   * is mounted over /var/lib for it, in a mount namespace of its own.
   */
  async cnitool(command: "add" | "del" | "check" | "gc" | "status", netns: string, args: string): Promise<Done> {
    const script = 'mount --bind "$1" /var/lib && exec nsenter --net="$2" "$3" "$4" chain "$5"';
    const places = [join(this.directory, "state"), this.netns, this.#cnitool];
    // Not synchronously: the agent that the plugin asks is in this process.
    const process = spawn("unshare", ["--mount", "sh", "-c", script, "sh", ...places, command, netns], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 30_000,
      env: {
        PATH: globalThis.process.env.PATH,
        CNI_PATH: join(this.directory, "bin"),
        NETCONFPATH: join(this.directory, "net.d"),
        CNI_ARGS: args,
      },
    });
    const closed = once(process, "close") as Promise<[number | null]>;
    const [stdout, stderr, [exit]] = await Promise.all([text(process.stdout), text(process.stderr), closed]);
    return { exit, stdout, stderr };
  }

  [Symbol.dispose](): void {
    for (const name of this.#namespaces.toReversed()) execFileSync("ip", ["netns", "del", name]);
    rmSync(this.directory, { recursive: true });
  }
}
