import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { LabError } from "../errors.ts";
import type { LabPod } from "../lab/lab-pod.ts";
import { within } from "../slow.ts";
import { HBONE_SINK_PORT, haproxyConfig, PROXY_PORTS } from "./haproxy-config.ts";
import { describeRecord, describeTrouble, type ProxyRecord, parseProxyRecord } from "./haproxy-log.ts";
import type { Program } from "./program.ts";

export interface HaproxyOptions {
  /** A directory for its configuration file, for instance the node's. */
  readonly directory: string;
  readonly threads?: number;
  /** Listening sockets per port, joined by SO_REUSEPORT; default 1. */
  readonly shards?: number;
  /** Log nothing: for measurements. */
  readonly quiet?: boolean;
}

const KEPT_TROUBLES = 10;

/** What to look for among the records; every field given must agree. */
export type RecordFilter = Partial<Omit<ProxyRecord, "accepted" | "received" | "sent">>;

/** A moment in milliseconds since the epoch, as the proxy's log gives them. */
export type Mark = number;

/** HAProxy, running as the node proxy in a pod of the lab. */
export class Haproxy implements AsyncDisposable {
  readonly pod: LabPod;
  readonly program: Program;
  readonly #records: ProxyRecord[] = [];

  private constructor(pod: LabPod, options: HaproxyOptions) {
    this.pod = pod;
    mkdirSync(options.directory, { recursive: true });
    const file = join(options.directory, `haproxy-${pod.name}.cfg`);
    const { threads = 1, shards = 1, quiet = false } = options;
    const config = { addresses: pod.addresses, threads, shards, quiet };
    writeFileSync(file, haproxyConfig(config));
    this.program = pod.start("haproxy", haproxyBinary(), ["-db", "-f", file], {
      onLine: (line) => {
        const record = parseProxyRecord(line);
        if (record !== undefined) this.#records.push(record);
      },
    });
  }

  /** Starts it, with the sink for HBONE beside it, and waits until it answers on its readiness port. */
  static async start(pod: LabPod, options: HaproxyOptions): Promise<Haproxy> {
    const proxy = new Haproxy(pod, options);
    const sink = await pod.endpoint();
    await sink.ask("listenOnce", { port: HBONE_SINK_PORT, host: "127.0.0.1" });
    await proxy.program.until("it answered on its readiness port", () => proxy.ready());
    return proxy;
  }

  /** True when its readiness port answers, asked from its own loopback. */
  async ready(): Promise<boolean> {
    const url = `http://127.0.0.1:${PROXY_PORTS.readiness}/`;
    const asked = await this.pod.namespace.run("curl", [
      "-s",
      "-o",
      "/dev/null",
      "--max-time",
      String(within(1_000) / 1_000),
      url,
    ]);
    return asked.status === 0;
  }

  /** This moment, to ask {@link since} with. Waits for the next millisecond to begin: the log is no finer. */
  mark(): Mark {
    const now = Date.now();
    while (Date.now() === now);
    return Date.now();
  }

  /**
   * Connections that have ended and that it accepted at the mark or later, in the order in which they ended. What was accepted
   * before it does not count even when it ends after it: a client whose path was cut is served long after it has gone.
   */
  since(mark: Mark = 0): ProxyRecord[] {
    return this.#records.filter(({ accepted }) => accepted >= mark);
  }

  /** Those of {@link since} that agree with the filter. */
  find(filter: RecordFilter, since: Mark = 0): ProxyRecord[] {
    const wanted = Object.entries(filter) as [keyof RecordFilter, unknown][];
    return this.since(since).filter((record) => wanted.every(([key, value]) => record[key] === value));
  }

  /** Waits until `count` records agree with the filter, at most `timeoutMs`; returns those there are by then. */
  async awaitRecords(
    filter: RecordFilter,
    since: Mark = 0,
    count = 1,
    timeoutMs = within(2_000),
  ): Promise<ProxyRecord[]> {
    const deadline = performance.now() + timeoutMs;
    while (this.find(filter, since).length < count && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return this.find(filter, since);
  }

  /** Evidence: its records as text. */
  describe(since: Mark = 0): string[] {
    return this.since(since).map(describeRecord);
  }

  /** What tells why a connection failed here: the last that ended out of order, and the last messages that are no records. */
  troubles(): { readonly ended: readonly string[]; readonly messages: readonly string[] } {
    const ended = this.#records.filter(({ termination }) => termination !== "--").map(describeTrouble);
    const messages = this.program.lines.filter((line) => parseProxyRecord(line) === undefined);
    return { ended: ended.slice(-KEPT_TROUBLES), messages: messages.slice(-KEPT_TROUBLES) };
  }

  /** Stops listening but serves its connections to their end (HAProxy: SIGUSR1). */
  drain(): void {
    this.program.signal("SIGUSR1");
  }

  /** Ends it at once, connections included. */
  async stop(): Promise<void> {
    await this.program.stop("SIGTERM");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** MILLRACE_HAPROXY, else `haproxy` on PATH or in /usr/sbin, else a private copy. Throws ERR_HAPROXY_MISSING. */
export function haproxyBinary(environment: NodeJS.ProcessEnv = process.env): string {
  const directories = [...(environment.PATH ?? "").split(delimiter), "/usr/sbin"].filter((entry) => entry !== "");
  const candidates = [
    environment.MILLRACE_HAPROXY ?? [],
    directories.map((directory) => join(directory, "haproxy")),
    join(homedir(), ".cache/millrace/haproxy/usr/sbin/haproxy"),
  ].flat();
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found !== undefined) return found;
  throw new LabError(
    "ERR_HAPROXY_MISSING",
    "no HAProxy found: install the package haproxy or set MILLRACE_HAPROXY to the binary",
  );
}
