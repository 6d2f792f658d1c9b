import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type LabHost, type Program, runChecked } from "@millrace/conformance";
import { z } from "zod";

const CLIENTS = "http://127.0.0.1:2379";
const PEERS = "http://127.0.0.1:2380";

const Header = z.object({ header: z.object({ revision: z.string().regex(/^\d+$/) }) });

/** A store of one member on its host's loopback, kept in memory: what is tested outlives no machine. */
export class Etcd {
  readonly url = CLIENTS;
  readonly #host: LabHost;
  readonly #program: Program;

  private constructor(host: LabHost, program: Program) {
    this.#host = host;
    this.#program = program;
  }

  static async start(host: LabHost, binary: string, directory: string): Promise<Etcd> {
    const data = join(directory, "etcd");
    mkdirSync(data, { recursive: true });
    // A disk that is busy with other things would make etcd lose its own leadership; the lab takes mounts below its directory away.
    await runChecked("mount", ["-t", "tmpfs", "-o", "size=1g", "etcd", data]);
    const program = host.start("etcd", binary, [
      ...["--name", "default", "--data-dir", join(data, "member")],
      ...["--listen-client-urls", CLIENTS, "--advertise-client-urls", CLIENTS],
      ...["--listen-peer-urls", PEERS, "--initial-advertise-peer-urls", PEERS, "--initial-cluster", `default=${PEERS}`],
    ]);
    const etcd = new Etcd(host, program);
    await program.until("it was healthy", async () => {
      const asked = await host.namespace.run("curl", ["-s", "--max-time", "2", `${CLIENTS}/health`]);
      return asked.stdout.includes('"health":"true"');
    });
    return etcd;
  }

  /** Takes away every version but the newest, as the API server does on its own every five minutes. Returns that revision. */
  async compact(): Promise<number> {
    const { header } = Header.parse(await this.#ask("range", { key: Buffer.from("/").toString("base64") }));
    await this.#ask("compaction", { revision: header.revision, physical: true });
    return Number(header.revision);
  }

  /** Stops its threads: the API server answers what it has in its cache, and nothing else. */
  freeze(): void {
    this.#program.signal("SIGSTOP");
  }

  thaw(): void {
    this.#program.signal("SIGCONT");
  }

  /** One call of the KV service by its JSON gateway (etcd, "gRPC gateway"). */
  async #ask(call: string, request: object): Promise<unknown> {
    const data = ["--data", JSON.stringify(request)];
    const answer = await this.#host.namespace.runChecked("curl", [
      ...["-s", "--fail-with-body", "--max-time", "20", ...data, `${CLIENTS}/v3/kv/${call}`],
    ]);
    return JSON.parse(answer);
  }
}
