import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { NodeFacts, NodePolicy, Observation, Probe, Proxies, Workload } from "@millrace/core";
import type { z } from "zod";
import type { configSchema } from "../config.ts";
import type { NodeBox } from "./node-box.ts";

const DRIVER = fileURLToPath(new URL("./agent-driver.ts", import.meta.url));

export interface AgentOptions {
  readonly config?: z.input<typeof configSchema>;
  readonly policy?: Partial<NodePolicy>;
  /** Put before the node command, for instance setpriv or strace. */
  readonly wrap?: readonly string[];
  readonly bpffs?: string;
}

/** What the backend refused, as it came over the pipe. */
export class AgentError extends Error {
  readonly code: string;

  constructor({ code, message }: { code: string; message: string }) {
    super(message);
    this.code = code;
  }
}

/** The backend in a process of its own inside a box. */
export class Agent implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;
  #log = "";

  private constructor(box: NodeBox, options: AgentOptions) {
    const { config = {}, policy = {}, wrap = [], bpffs = box.bpffs } = options;
    const wholePolicy: NodePolicy = { failurePolicy: "closed", localDelivery: "direct", ...policy };
    const setup = JSON.stringify({ config, policy: wholePolicy, host: { bpffs, journal: box.journal } });
    const command = [
      ...wrap,
      process.execPath,
      "--conditions=source",
      "--disable-warning=ExperimentalWarning",
      DRIVER,
      setup,
    ];
    this.#child = spawn("nsenter", [...box.enter, ...command], { stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr?.on("data", (chunk) => {
      this.#log += chunk;
    });
    if (!this.#child.stdout) throw new Error("the agent has no standard output");
    this.#lines = createInterface({ input: this.#child.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  static start(box: NodeBox, options: AgentOptions = {}): Agent {
    return new Agent(box, options);
  }

  static async open(box: NodeBox, options: AgentOptions = {}): Promise<Agent> {
    const agent = new Agent(box, options);
    try {
      await agent.call("open");
      return agent;
    } catch (error) {
      await agent[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What it logged so far. */
  get log(): string {
    return this.#log;
  }

  async call(verb: string, argument?: unknown): Promise<unknown> {
    this.#child.stdin?.write(`${JSON.stringify({ verb, argument })}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the agent ended while it was asked to ${verb}: ${this.#log}`);
    const { result, error } = JSON.parse(value);
    if (error) throw new AgentError(error);
    return result;
  }

  probe = () => this.call("probe") as Promise<Probe>;
  useProxies = (proxies: Proxies) => this.call("useProxies", proxies);
  useNode = (node: NodeFacts) => this.call("useNode", node);
  apply = (workload: Workload) => this.call("apply", workload);
  remove = (uid: string) => this.call("remove", uid);
  observe = () => this.call("observe") as Promise<Observation>;
  uninstall = () => this.call("uninstall");

  /** As a crash would end it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    // Behind strace it would live on, but for this.
    this.#child.stdin?.destroy();
    await once(this.#child, "exit");
  }
}
