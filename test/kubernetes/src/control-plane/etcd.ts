import { cpSync, mkdirSync, rmSync } from "node:fs";
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
  readonly #binary: string;
  /** Of the member, below which it keeps everything. */
  readonly #data: string;
  #program: Program;

  private constructor(host: LabHost, binary: string, data: string) {
    this.#host = host;
    this.#binary = binary;
    this.#data = data;
    this.#program = this.#run();
  }

  static async start(host: LabHost, binary: string, directory: string): Promise<Etcd> {
    const mounted = join(directory, "etcd");
    mkdirSync(mounted, { recursive: true });
    // A disk that is busy with other things would make etcd lose its own leadership; the lab takes mounts below its directory away.
    await runChecked("mount", ["-t", "tmpfs", "-o", "size=1g", "etcd", mounted]);
    const etcd = new Etcd(host, binary, join(mounted, "member"));
    await etcd.#untilHealthy();
    return etcd;
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }

  /** Again after {@link stop}. */
  async start(): Promise<void> {
    this.#program = this.#run();
    await this.#untilHealthy();
  }

  /** What it has, kept for {@link restore}. It must be stopped. */
  backUp(): void {
    cpSync(this.#data, this.#backup, { recursive: true });
  }

  /** Everything, the count of versions too, is as it was at {@link backUp}. It must be stopped. */
  restore(): void {
    rmSync(this.#data, { recursive: true });
    cpSync(this.#backup, this.#data, { recursive: true });
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

  get #backup(): string {
    return `${this.#data}.backup`;
  }

  #run(): Program {
    return this.#host.start("etcd", this.#binary, [
      ...["--name", "default", "--data-dir", this.#data],
      ...["--listen-client-urls", CLIENTS, "--advertise-client-urls", CLIENTS],
      ...["--listen-peer-urls", PEERS, "--initial-advertise-peer-urls", PEERS, "--initial-cluster", `default=${PEERS}`],
    ]);
  }

  async #untilHealthy(): Promise<void> {
    await this.#program.until("it was healthy", async () => {
      const asked = await this.#host.namespace.run("curl", ["-s", "--max-time", "2", `${CLIENTS}/health`]);
      return asked.stdout.includes('"health":"true"');
    });
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
