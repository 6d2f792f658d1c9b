import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { LabError } from "../errors.ts";
import type { LabNode, NodePaths } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { pause } from "../pause.ts";
import type { Finished } from "../programs/command.ts";
import type { Program } from "../programs/program.ts";
import { within } from "../slow.ts";
import { type AgentStatus, readStatus } from "./status.ts";
import { verifyLog } from "./verify-log.ts";

export interface AgentOptions {
  /** Of a second agent on the node: it gets files, sockets and a journal of its own. */
  readonly name?: string;
  /** Default `auto`. */
  readonly redirectMode?: string;
  /** Each backend's own configuration, by name. */
  readonly backends?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Further plugins: package names or paths. */
  readonly plugins?: readonly string[];
  /** Any other setting, by its key in the configuration file; laid over what the lab sets. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** How to run `millrace`; default: `@millrace/agent` by this Node, its sources or as built, whichever this file is. */
  readonly command?: readonly string[];
  /** It is run under this, and so is what {@link Agent.startMillrace} starts. */
  readonly tracer?: Tracer;
}

/** Follows what a program does, from outside. */
export interface Tracer {
  /** Called for each start of one. `words` run it under the tracer as the very process; `take` is called for each line written to descriptor 3. */
  trace(words: readonly string[]): { readonly words: readonly string[]; readonly take: (line: string) => void };
}

const BUILT = import.meta.url.endsWith(".js");
const AGENT_PACKAGE = "@millrace/agent";

/** Beside this package in the repository; installed, wherever its package manager has put what it depends on. */
function agentProgram(): string {
  const program = BUILT ? "dist/main.js" : "src/main.ts";
  const beside = fileURLToPath(new URL(`../../../agent/${program}`, import.meta.url));
  if (existsSync(beside)) return beside;
  const installed = findPackageJSON(AGENT_PACKAGE, import.meta.url);
  return installed === undefined ? beside : join(dirname(installed), program);
}

/** How `millrace` of this version is run. */
export const MILLRACE_COMMAND: readonly string[] = [
  process.execPath,
  ...(BUILT ? [] : ["--conditions=source"]),
  agentProgram(),
];

/** `millrace agent` on a node of the lab. Stopping it, in whatever way, leaves its data path as it is. */
export class Agent implements AsyncDisposable {
  readonly node: LabNode;
  #command: readonly string[];
  readonly #paths: NodePaths;
  readonly #log: string;
  readonly #tracer: Tracer | undefined;
  #program: Program;

  private constructor(node: LabNode, paths: NodePaths, log: string, { command, tracer }: AgentOptions) {
    this.node = node;
    this.#paths = paths;
    this.#log = log;
    this.#command = command ?? MILLRACE_COMMAND;
    this.#tracer = tracer;
    this.#program = this.#run();
  }

  /** Writes the node's configuration file, starts the agent and waits until it serves its status. */
  static async start(node: LabNode, options: AgentOptions = {}): Promise<Agent> {
    const paths = options.name === undefined ? node.paths : ownPaths(node.paths, options.name);
    const config = agentConfig(node, paths, options);
    writeFileSync(paths.agentConfig, stringify(config));
    await using starting = new AsyncDisposableStack();
    const agent = starting.use(new Agent(node, paths, config.eventLog.path, options));
    await agent.#untilServing();
    starting.move();
    return agent;
  }

  get pid(): number {
    return this.#program.pid;
  }

  get running(): boolean {
    return this.#program.running;
  }

  /** What it wrote to standard output and error. */
  get lines(): readonly string[] {
    return this.#program.lines;
  }

  status(): Promise<AgentStatus> {
    return readStatus(adminSocket(this.#paths));
  }

  /** Polls the status until it is as wanted. Throws ERR_AGENT_NOT_READY with the last status and the agent's log. */
  async until(
    what: string,
    wanted: (status: AgentStatus) => boolean,
    timeoutMs = within(30_000),
  ): Promise<AgentStatus> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const began = performance.now();
      const status = await this.status().catch((cause: unknown) => {
        throw new LabError("ERR_AGENT_NOT_READY", `agent of ${this.node.name}: ${what}: it gave no status: ${cause}`, {
          cause,
          details: this.#program.tail(),
        });
      });
      if (wanted(status)) return status;
      if (performance.now() > deadline) {
        throw new LabError("ERR_AGENT_NOT_READY", `agent of ${this.node.name}: no ${what} within ${timeoutMs} ms`, {
          details: `${JSON.stringify({ ...status, counters: undefined }, undefined, 1)}\n${this.#program.tail()}`,
        });
      }
      await pause(15, began);
    }
  }

  /** Waits until each pod is enrolled. */
  async untilEnrolled(...pods: readonly LabPod[]): Promise<void> {
    const state = (status: AgentStatus, pod: LabPod) => status.workloads.find(({ uid }) => uid === pod.uid)?.state;
    await this.until(`enrolment of ${pods.map(({ name }) => name).join(", ")}`, (status) =>
      pods.every((pod) => state(status, pod) === "enrolled"),
    );
  }

  /** Waits until none of the pods is a member any more, in the kernel as well. */
  async untilLeft(...pods: readonly LabPod[]): Promise<void> {
    await this.until(`departure of ${pods.map(({ name }) => name).join(", ")}`, (status) =>
      pods.every((pod) => {
        const workload = status.workloads.find(({ uid }) => uid === pod.uid);
        return workload === undefined || workload.state === "not a member";
      }),
    );
  }

  /** Waits until new connections go to this proxy; `undefined`: until there is no active one. The kernel was seen to have it so. */
  async untilActive(proxy: LabPod | undefined): Promise<void> {
    await this.until(`active proxy ${proxy?.name ?? "none"}`, (status) => {
      const active = status.proxies.find(({ role }) => role === "active");
      if (proxy !== undefined) return active?.uid === proxy.uid && active.state === "complete";
      return active === undefined && status.proxies.every(({ state }) => state !== "unseen");
    });
  }

  /** Runs another `millrace` command against this agent's configuration, on the node. */
  millrace(...args: readonly string[]): Promise<Finished> {
    const [file = "", ...rest] = this.#command;
    if (args.includes("--purge")) this.node.agentLogs.settle(this.#log);
    return this.node.namespace.run(file, [...rest, ...args, "--config", this.#paths.agentConfig], {
      env: cleanEnvironment(),
    });
  }

  /** Starts another `millrace` command, as {@link millrace}, without waiting for its end, and under the tracer if there is one. */
  startMillrace(...args: readonly string[]): Program {
    return this.#start(...args);
  }

  /**
   * SIGTERM, as a DaemonSet's update does, and as long as the kubelet gives it. What it has logged is replayed now, where a failure is
   * nearest to its reason, and at the lab's end: throws ERR_AGENT_LOG.
   */
  async stop(): Promise<void> {
    const wasRunning = this.running;
    await this.#program.stop("SIGTERM", within(30_000));
    if (wasRunning) verifyLog(this.#log);
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#program.kill();
  }

  /**
   * Starts it again after {@link stop} or {@link kill}, with the same configuration. `command`: from now on another version's, as
   * {@link AgentOptions.command}.
   */
  async restart(command = this.#command): Promise<void> {
    this.begin(command);
    await this.#untilServing();
  }

  /** The same without waiting for anything. */
  begin(command = this.#command): void {
    this.#command = command;
    this.#program = this.#run();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #run(): Program {
    this.node.agentLogs.started(this.#log);
    return this.#start("agent");
  }

  #start(...args: readonly string[]): Program {
    const words = [...this.#command, ...args, "--config", this.#paths.agentConfig];
    const traced = this.#tracer?.trace(words);
    const [file = "", ...rest] = traced?.words ?? words;
    return this.node.start(`millrace ${args[0]}`, file, rest, {
      env: cleanEnvironment(),
      ...(traced !== undefined && { onTraceLine: traced.take }),
    });
  }

  async #untilServing(): Promise<void> {
    await this.#program.until("it served its status", async () => {
      try {
        await this.status();
        return true;
      } catch (error) {
        // Not there yet, the socket of an agent that is gone, or of one that just ended: the program's end is told with its log.
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ECONNRESET") return false;
        throw error;
      }
    });
  }
}

const adminSocket = ({ sockets }: NodePaths): string => join(sockets, "admin.sock");

/** Everything of an agent's own below one directory; manifests and the BPF file system are the node's. */
function ownPaths(paths: NodePaths, name: string): NodePaths {
  const root = join(paths.root, name);
  const own = { ...paths, root, journal: join(root, "journal"), sockets: join(root, "run") };
  for (const path of [own.journal, own.sockets]) mkdirSync(path, { recursive: true });
  return {
    ...own,
    eventLog: join(root, "events.db"),
    ambientConfig: join(root, "ambient-config.json"),
    agentConfig: join(root, "config.yaml"),
  };
}

function agentConfig(
  node: LabNode,
  paths: NodePaths,
  options: AgentOptions,
): { readonly eventLog: { readonly path: string }; readonly [key: string]: unknown } {
  return {
    node: { name: node.name },
    redirectMode: options.redirectMode ?? "auto",
    manifests: { directory: paths.manifests },
    sockets: { admin: adminSocket(paths), cni: join(paths.sockets, "cni.sock") },
    paths: { bpffs: paths.bpffs, journal: paths.journal, ambientConfig: paths.ambientConfig },
    install: { cniBinDir: join(paths.root, "cni/bin"), cniConfDir: join(paths.root, "cni/net.d") },
    // The node has one port for it.
    http: { enabled: options.name === undefined },
    log: { level: "debug", format: "json" },
    plugins: options.plugins ?? [],
    backends: options.backends ?? {},
    ...options.settings,
    eventLog: { path: paths.eventLog, ...(options.settings?.eventLog as object | undefined) },
  };
}

/** The agent takes every MILLRACE_* variable as a setting; ours are none. */
export const cleanEnvironment = (): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => name.startsWith("MILLRACE_"))
      .map((name) => [name, undefined]),
  );
