import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { AgentLogs } from "@millrace/conformance";
import { type Finished, type MillraceOptions, millrace, spawnMillrace } from "./millrace.ts";

const run = promisify(execFile);
const STEP_TIMEOUT_MS = 20_000;

/** Arguments of setpriv(1): a test run that is killed leaves nothing running (PR_SET_PDEATHSIG). */
const DIES_WITH_US = ["--pdeathsig", "KILL", "--"];

/** What the holder does before it waits: a bpffs and a /run/netns of its own, and a node's usual settings. */
const SET_UP = `
set -e
trap 'echo failed' EXIT
mount -t tmpfs tmpfs /run/netns 2>/dev/null || { mkdir -p /run/netns; mount -t tmpfs tmpfs /run/netns; }
mkdir -p "$1/bpf"
mount -t bpf bpf "$1/bpf"
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip addr add 198.19.0.1/32 dev lo
trap - EXIT
echo ready
exec sleep 600
`;

/** How a pod is wired: a veth pair, host routes, its gateway on the host end (the ptp way). */
const ADD_POD = `
set -e
pod=$1; address=$2; host=h-$1
ip netns add "$pod"
ip link add "$host" type veth peer name eth0 netns "$pod"
ip addr add 198.18.77.1/32 dev "$host"
ip link set "$host" up
ip route add "$address/32" dev "$host"
nsenter --net="/run/netns/$pod" sh -ec "
  ip link set lo up
  ip link set eth0 up
  ip addr add $address/32 dev eth0
  ip route add 198.18.77.1 dev eth0
  ip route add default via 198.18.77.1"
`;

/** Settings of the configuration file, by its keys. */
export interface NodeSettings {
  readonly eventLog?: { readonly path?: string; readonly maxBytes?: number };
  readonly [key: string]: unknown;
}

/**
 * A node to itself: network, mounts and a BPF file system that end with it, and every path of the agent's below one directory.
 * Nothing of it is seen outside, nothing is left behind.
 */
export class PrivateNode implements AsyncDisposable {
  readonly directory: string;
  readonly config: string;
  readonly manifests: string;
  /** What the agents of this node have logged: it is replayed when the node goes. */
  readonly logs = new AgentLogs();
  readonly #holder: ChildProcess;
  #log: string;

  private constructor(directory: string, holder: ChildProcess) {
    this.directory = directory;
    this.config = join(directory, "config.json");
    this.manifests = join(directory, "manifests");
    this.#log = join(directory, "lib/events.db");
    this.#holder = holder;
  }

  /** `settings` are laid over a configuration that keeps every path private. */
  static async create(settings: NodeSettings = {}): Promise<PrivateNode> {
    const directory = mkdtempSync(join(tmpdir(), "millrace-node-"));
    const unshare = ["unshare", "--mount", "--net", "--propagation", "private"];
    const holder = spawn("setpriv", [...DIES_WITH_US, ...unshare, "sh", "-c", SET_UP, "sh", directory], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const node = new PrivateNode(directory, holder);
    try {
      const lines = createInterface({ input: holder.stdout });
      const [said] = (await once(lines, "line", { signal: AbortSignal.timeout(STEP_TIMEOUT_MS) })) as [string];
      lines.close();
      if (said !== "ready") throw new Error("the private node could not be set up: see standard error");
      chmodSync(directory, 0o755); // commands run by other users read the configuration
      mkdirSync(node.manifests);
      node.configure(settings);
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  configure({ eventLog, ...settings }: NodeSettings): void {
    const at = (name: string) => join(this.directory, name);
    this.#log = eventLog?.path ?? at("lib/events.db");
    writeFileSync(
      this.config,
      JSON.stringify({
        node: { name: "n1" },
        manifests: { directory: this.manifests },
        sockets: { admin: at("run/admin.sock"), cni: at("run/cni.sock") },
        paths: { bpffs: at("bpf"), journal: at("lib/journal"), ambientConfig: at("ambient/config.json") },
        install: { cniBinDir: at("cni/bin"), cniConfDir: at("cni/net.d"), pluginSource: at("image/millrace") },
        log: { format: "text" },
        resync: { intervalSeconds: 2 },
        ...settings,
        eventLog: { path: this.#log, ...eventLog },
      }),
    );
  }

  /** The event log of this node's agents. */
  get log(): string {
    return this.#log;
  }

  /** Replays the log before a test takes it away. Throws ERR_AGENT_LOG. */
  settleLog(): void {
    this.logs.settle(this.#log);
  }

  /** Prefix that runs a command in this node. */
  get inside(): readonly string[] {
    return ["nsenter", `--target=${this.#holder.pid}`, "--mount", "--net", "--"];
  }

  async exec(...command: readonly string[]): Promise<string> {
    const [file, ...args] = [...this.inside, ...command];
    return (await run(file as string, args, { timeout: STEP_TIMEOUT_MS })).stdout;
  }

  async addPod(name: string, address: string): Promise<void> {
    await this.exec("sh", "-c", ADD_POD, "sh", name, address);
  }

  /** Writes a manifest; JSON is YAML. */
  manifest(name: string, ...objects: readonly object[]): void {
    const file = join(this.manifests, `${name}.yaml`);
    writeFileSync(file, objects.map((object) => JSON.stringify(object)).join("\n---\n"));
  }

  millrace(args: readonly string[], options: MillraceOptions = {}): Promise<Finished> {
    if (args.includes("--purge")) this.settleLog();
    return millrace([...args, "--config", this.config], {
      ...options,
      prefix: [...this.inside, ...(options.prefix ?? [])],
    });
  }

  /** Another program on this node. */
  spawn(...command: readonly string[]): RunningAgent {
    const [file, ...args] = ["setpriv", ...DIES_WITH_US, ...this.inside, ...command];
    return new RunningAgent(spawn(file as string, args, { stdio: ["ignore", "pipe", "pipe"] }));
  }

  /** `prefix` is put before the agent's own command. */
  agent(...prefix: readonly string[]): RunningAgent {
    this.logs.started(this.#log);
    return new RunningAgent(
      spawnMillrace(["agent", "--config", this.config], {
        prefix: ["setpriv", ...DIES_WITH_US, ...this.inside, ...prefix],
        timeoutMs: 120_000,
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder.exitCode === null && this.#holder.signalCode === null) {
      const exit = once(this.#holder, "exit");
      this.#holder.kill("SIGKILL");
      await exit;
    }
    try {
      this.logs.settleAll();
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }
}

/** An agent as a child process, with what it has logged so far. */
export class RunningAgent implements AsyncDisposable {
  readonly #child: ReturnType<typeof spawnMillrace>;
  readonly #exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  output = "";

  constructor(child: ReturnType<typeof spawnMillrace>) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        this.output += chunk;
      });
    }
    this.#exit = new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal })));
  }

  /** Waits until the output matches; fails with the output when the agent ends or time is up first. */
  async logged(pattern: RegExp, timeoutMs = STEP_TIMEOUT_MS): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!pattern.test(this.output)) {
      const ended = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (ended || Date.now() > deadline) {
        throw new Error(`the agent ${ended ? "ended" : "went on"} without logging ${pattern}:\n${this.output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.#child.kill(signal);
    return this.#exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#exit;
  }
}

/** Objects as the API server has them, cut to what the agent reads. */
export const objects = {
  namespace: (name: string, labels: Record<string, string> = {}) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, uid: `ns-${name}`, labels },
  }),
  pod: (namespace: string, name: string, address: string, labels: Record<string, string> = {}) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, uid: `uid-${name}`, labels, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { nodeName: "n1" },
    status: {
      phase: "Running",
      podIP: address,
      podIPs: [{ ip: address }],
      conditions: [{ type: "Ready", status: "True" }],
    },
  }),
};
