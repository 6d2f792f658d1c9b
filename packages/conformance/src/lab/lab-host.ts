import { Endpoint } from "../programs/endpoint.ts";
import type { Program, ProgramOptions } from "../programs/program.ts";
import type { DualStack, Family } from "./addresses.ts";
import type { Namespace } from "./namespace.ts";

/** Anything in the lab with a network namespace and addresses of its own. What is started here is ended with it. */
export class LabHost implements AsyncDisposable {
  readonly name: string;
  readonly namespace: Namespace;
  readonly addresses: DualStack;
  readonly #programs = new Set<Program>();
  #endpoint: Promise<Endpoint> | undefined;

  constructor(name: string, namespace: Namespace, addresses: DualStack) {
    this.name = name;
    this.namespace = namespace;
    this.addresses = addresses;
  }

  address(family: Family): string {
    return this.addresses[family];
  }

  /** Starts a program here; it is stopped with the host at the latest. */
  start(name: string, file: string, args: readonly string[], options?: ProgramOptions): Program {
    const program = this.namespace.start(name, file, args, options);
    this.#programs.add(program);
    void program.ended.then(() => this.#programs.delete(program));
    return program;
  }

  /** The one process here that serves and dials: started on first use. */
  endpoint(): Promise<Endpoint> {
    this.#endpoint ??= Endpoint.start((...args) => this.start(...args));
    return this.#endpoint;
  }

  /** Ends everything that was started here. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#endpoint = undefined;
    await Promise.all([...this.#programs].map((program) => program.stop("SIGKILL")));
  }
}
