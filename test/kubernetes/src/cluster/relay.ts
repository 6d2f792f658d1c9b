import { readFileSync } from "node:fs";
import type { LabHost, Program } from "@millrace/conformance";
import { API_PORT } from "../control-plane/api-server.ts";

const RELAY_PORT = 7443;

/** A balancer before the API server, of the simplest kind: a process for each connection, so that single ones can freeze. */
export class Relay {
  readonly url: string;
  readonly #program: Program;

  private constructor(url: string, program: Program) {
    this.url = url;
    this.#program = program;
  }

  static async start(host: LabHost): Promise<Relay> {
    const address = host.address(4);
    const listen = `TCP4-LISTEN:${RELAY_PORT},bind=${address},reuseaddr,fork`;
    const program = host.start("relay", "socat", [listen, `TCP4:${address}:${API_PORT}`]);
    await program.until("it listened", async () => {
      const sockets = await host.namespace.runChecked("ss", ["-Hltn", `sport = :${RELAY_PORT}`]);
      return sockets !== "";
    });
    return new Relay(`https://${address}:${RELAY_PORT}`, program);
  }

  /** The processes of its connections (`proc_pid_task(5)`, children). */
  get connections(): number[] {
    const { pid } = this.#program;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return children === "" ? [] : children.split(" ").map(Number);
  }

  /** Stops every connection there is: the kernel still takes and acknowledges what comes. New ones work. Returns how many. */
  freeze(): number {
    const { connections } = this;
    for (const pid of connections) process.kill(pid, "SIGSTOP");
    return connections.length;
  }

  /** Ends every connection there is, frozen or not, with what it had not passed on. New ones work. */
  cut(): void {
    for (const pid of this.connections) process.kill(pid, "SIGKILL");
  }

  /** Ends it with its connections. */
  async stop(): Promise<void> {
    this.cut();
    await this.#program.kill();
  }
}
