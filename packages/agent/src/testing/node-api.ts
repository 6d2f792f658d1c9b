import { join } from "node:path";
import type { PrivateNode, RunningAgent } from "./private-node.ts";
import { type ApiObject, writeKubeconfig } from "./small-api-server.ts";

const ADDRESS = "198.19.0.1";
const PORT = "16443";

/** A small API server inside a node's own network, and what a test says and asks there. */
export class NodeApi implements AsyncDisposable {
  readonly kubeconfig: string;
  readonly #node: PrivateNode;
  readonly #server: RunningAgent;

  private constructor(node: PrivateNode, server: RunningAgent) {
    this.#node = node;
    this.#server = server;
    this.kubeconfig = join(node.directory, "kubeconfig");
    writeKubeconfig(this.kubeconfig, `http://${ADDRESS}:${PORT}`);
  }

  static async start(node: PrivateNode): Promise<NodeApi> {
    const main = join(import.meta.dirname, "small-api-server-main.ts");
    const server = node.spawn(process.execPath, "--conditions=source", main, ADDRESS, PORT);
    await server.logged(/serving/);
    return new NodeApi(node, server);
  }

  async put(path: string, object: object): Promise<void> {
    await this.#ask("PUT", path, object);
  }

  async delete(path: string): Promise<void> {
    await this.#ask("DELETE", path);
  }

  async get(path: string): Promise<ApiObject> {
    return JSON.parse(await this.#ask("GET", path)) as ApiObject;
  }

  async list(path: string): Promise<ApiObject[]> {
    return (await this.get(path)).items as ApiObject[];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  #ask(method: string, path: string, body?: object): Promise<string> {
    const sent = body === undefined ? [] : ["--data-binary", JSON.stringify(body)];
    const options = ["--silent", "--fail", "--max-time", "5", "--request", method, ...sent];
    return this.#node.exec("curl", ...options, `http://${ADDRESS}:${PORT}${path}`);
  }
}
