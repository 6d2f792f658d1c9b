import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubernetesApi } from "@millrace/watchers";
import { createLogger } from "../logging/logger.ts";
import { SmallApiServer, writeKubeconfig } from "./small-api-server.ts";

/** A small API server, a way to ask it, and a log that keeps its lines. */
export class ServedApi implements AsyncDisposable {
  readonly server: SmallApiServer;
  readonly api: KubernetesApi;
  readonly lines: string[] = [];
  readonly log = createLogger({ format: "json", level: "debug", output: { write: (line) => this.lines.push(line) } });
  readonly #directory: string;

  private constructor(server: SmallApiServer, url: string) {
    this.server = server;
    this.#directory = mkdtempSync(join(tmpdir(), "millrace-api-"));
    const kubeconfig = join(this.#directory, "kubeconfig");
    writeKubeconfig(kubeconfig, url);
    this.api = new KubernetesApi({ kubeconfig });
  }

  static async create(): Promise<ServedApi> {
    const server = new SmallApiServer();
    return new ServedApi(server, await server.listen());
  }

  /** What was asked, without its body. */
  asked(): string[] {
    return this.server.asked.map(({ method, path }) => `${method} ${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api[Symbol.dispose]();
    await this.server[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true });
  }
}
