import { fileURLToPath } from "node:url";
import { LabError } from "../errors.ts";
import type { Input, Output, Reply, Verb } from "./endpoint/protocol.ts";
import type { Program, ProgramOptions } from "./program.ts";

/** Starts a program in a namespace. */
export type Start = (name: string, file: string, args: readonly string[], options?: ProgramOptions) => Program;

/** Built or not, the program lies beside this file under the same ending. */
const BUILT = import.meta.url.endsWith(".js");
const PROGRAM = fileURLToPath(new URL(`./bin/endpoint${BUILT ? ".js" : ".ts"}`, import.meta.url));

/**
 * The process in a namespace that serves TCP and UDP on any number of ports and dials others, one request at a time or
 * many. What it can do is in `endpoint/protocol.ts`.
 */
export class Endpoint {
  readonly program: Program;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #next = 1;
  #ready = false;

  private constructor(start: Start) {
    this.program = start("endpoint", process.execPath, [...(BUILT ? [] : ["--conditions=source"]), PROGRAM], {
      stdin: true,
      onLine: (line) => this.#receive(line),
    });
    void this.program.ended.then(() => {
      for (const { reject } of this.#waiting.values()) {
        reject(
          new LabError("ERR_PROGRAM_EXITED", `${this.program.name} ended (${this.program.outcome}) during a request`, {
            details: this.program.tail(),
          }),
        );
      }
      this.#waiting.clear();
    });
  }

  static async start(start: Start): Promise<Endpoint> {
    const endpoint = new Endpoint(start);
    await endpoint.program.until("it was ready", () => endpoint.#ready);
    return endpoint;
  }

  /** Asks for `verb`. A conversation that fails is an outcome; only a request that cannot be carried out throws. */
  ask<V extends Verb>(verb: V, input: Input<V>): Promise<Output<V>> {
    if (!this.program.running) {
      throw new LabError("ERR_PROGRAM_EXITED", `${this.program.name} ended (${this.program.outcome})`, {
        details: this.program.tail(),
      });
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as Output<V>), reject });
      this.program.write(`${JSON.stringify({ id, verb, input })}\n`);
    });
  }

  /** Serves TCP on these ports, both families; ports it serves already are left alone. */
  async listen(...ports: readonly number[]): Promise<void> {
    await Promise.all(ports.map((port) => this.ask("listenOnce", { port })));
  }

  #receive(line: string): void {
    if (!line.startsWith("{")) return;
    const reply = JSON.parse(line) as Reply;
    if ("ready" in reply) {
      this.#ready = true;
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ("error" in reply) {
      waiting?.reject(
        new LabError("ERR_ENDPOINT_REQUEST", `${this.program.name} could not carry out a request`, {
          details: reply.error,
        }),
      );
    } else {
      waiting?.resolve(reply.output);
    }
  }
}
