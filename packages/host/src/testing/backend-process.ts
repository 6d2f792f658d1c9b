import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type {
  Explanation,
  Flow,
  Host,
  NodePolicy,
  Observation,
  Probe,
  Proxies,
  Redirection,
  RedirectionPlan,
  ShadowedWorkload,
  Trace,
  UsedProxy,
  WantedRedirection,
  Workload,
  WorkloadObservation,
} from "@millrace/core";

const PROGRAM = fileURLToPath(new URL("./backend-program.ts", import.meta.url));

export interface BackendSettings {
  /** The plugin's module, as the module `from` would import it. */
  readonly module: string;
  readonly from: string;
  readonly config?: object | undefined;
  readonly policy?: Partial<NodePolicy> | undefined;
  readonly host: Host;
}

/** The same as the program gets it. */
export interface ProgramSettings extends BackendSettings {
  readonly config: object;
  readonly policy: NodePolicy;
}

/** What the backend refused, as it comes over the pipe. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** One workload's verb. */
export type Ask =
  | { readonly verb: "apply"; readonly argument: Workload }
  | { readonly verb: "remove"; readonly argument: string };

export class BackendProcessError extends Error {
  readonly code: string;

  constructor({ code, message }: Refusal) {
    super(message);
    this.code = code;
  }
}

/** A backend in a process of its own, as an agent would run it. Disposing ends the process as a crash does, and leaves the kernel. */
export class BackendProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #log = "";

  /** `enter`: for nsenter(1), the namespaces to be in. `wrap`: put before the node command, for instance setpriv or strace. */
  constructor(enter: readonly string[], settings: BackendSettings, wrap: readonly string[] = []) {
    const { config = {}, policy = {}, ...rest } = settings;
    const whole: ProgramSettings = {
      ...rest,
      config,
      policy: { failurePolicy: "closed", localDelivery: "direct", ...policy },
    };
    const node = [process.execPath, "--conditions=source", "--disable-warning=ExperimentalWarning"];
    const command = [...enter, ...wrap, ...node, PROGRAM, JSON.stringify(whole)];
    const child = spawn("nsenter", command, { stdio: ["pipe", "pipe", "pipe"] });
    child.stderr.on("data", (chunk) => {
      this.#log += chunk;
    });
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** What it logged so far. */
  get log(): string {
    return this.#log;
  }

  /** Opens the redirection; a process that cannot is ended. */
  async open(): Promise<this> {
    try {
      await this.#ask("open");
      return this;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }

  probe = (): Promise<Probe> => this.#ask("probe");
  /** `namespaces`: paths of those to look into beside the node's own. */
  traces = (namespaces: readonly string[]): Promise<readonly Trace[]> => this.#ask("traces", namespaces);
  useProxies = (proxies: Proxies): Promise<void> => this.#ask("useProxies", proxies);
  useNode: Redirection["useNode"] = (facts) => this.#ask("useNode", facts);
  apply = (workload: Workload): Promise<void> => this.#ask("apply", workload);
  remove = (uid: string): Promise<void> => this.#ask("remove", uid);
  /** All at once, as an agent may ask; what became of each, in their order: null when it was done. All else is asked for one by one. */
  together = (asks: readonly Ask[]): Promise<readonly (Refusal | null)[]> => this.#ask("together", asks);
  observe = (): Promise<Observation> => this.#ask("observe");
  /** Applies these all at once, and reads them back in the same turn: how they were found. */
  applyAndRead = (workloads: readonly Workload[]): Promise<readonly WorkloadObservation[]> =>
    this.#ask("applyAndRead", workloads);
  usedProxies = (): Promise<readonly UsedProxy[]> => this.#ask("usedProxies");
  explain = (flow: Flow): Promise<Explanation> => this.#ask("explain", flow);
  plan = (wanted: WantedRedirection): Promise<RedirectionPlan> => this.#ask("plan", wanted);
  openShadow = (): Promise<void> => this.#ask("openShadow");
  follow = (wanted: WantedRedirection): Promise<void> => this.#ask("follow", wanted);
  counts = (): Promise<readonly ShadowedWorkload[]> => this.#ask("counts");
  removeShadow = (): Promise<readonly string[]> => this.#ask("removeShadow");
  uninstall = (): Promise<void> => this.#ask("uninstall");
  close = (): Promise<void> => this.#ask("close");

  async #ask<T>(verb: string, argument?: unknown): Promise<T> {
    this.#child.stdin?.write(`${JSON.stringify({ verb, argument })}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`the agent ended while it was asked to ${verb}:\n${this.#log}`);
    const { result, error } = JSON.parse(value);
    if (error !== undefined) throw new BackendProcessError(error);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    const ended = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    // Behind strace it would live on, but for this.
    this.#child.stdin?.destroy();
    await ended;
  }
}
