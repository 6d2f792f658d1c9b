import { createServer, type Server, type Socket } from "node:net";
import { CNI_CODES, errorMessage } from "@millrace/core/internal";
import type { Netns } from "linux-ts";
import type { WatcherLog } from "../log.ts";
import { type NodeNetns, openNodeNetns } from "../netns/node-view.ts";
import type { Sink, Watcher } from "../watcher.ts";
import { type Answered, answer, reply } from "./connection.ts";
import type { CniEngine } from "./handle-request.ts";
import { listen } from "./listen.ts";
import { RemovedContainers } from "./removed-containers.ts";
import { refuse } from "./replies.ts";

export interface CniSocketOptions extends NodeNetns {
  /** Absolute path of the socket, at most 107 bytes. */
  readonly path: string;
  readonly engine: CniEngine;
  readonly log: WatcherLog;
  /** Longest that ADD and CHECK may take, in milliseconds. Default 10 s; the plugin's own deadline must be longer. */
  readonly deadlineMs?: number;
  /** Longest that a request may take to arrive, in milliseconds. Default 5 s. */
  readonly requestTimeoutMs?: number;
  /** Requests that are served at one time; one more is answered with code 11. Default 128: all pods of a node may start together. */
  readonly maxConnections?: number;
  /** Told of every answer, for metrics. */
  readonly onAnswer?: (answer: CniAnswer) => void;
}

export interface CniAnswer {
  /** Undefined for a request that was not understood. */
  readonly command: string | undefined;
  /** CNI error code; 0 for success. */
  readonly code: number;
  readonly durationMs: number;
}

/** Beyond `maxConnections`, this many peers may be fetching their reply, or be told to come again; still more are closed without a word. */
const REPLYING = 128;

/** The socket that the CNI plugin talks to: see docs/cni-socket.md for the protocol. */
export function cniSocketWatcher(options: CniSocketOptions): Watcher {
  return {
    name: "cni",
    async start(sink: Sink): Promise<AsyncDisposable> {
      await using starting = new AsyncDisposableStack();
      const node = starting.use(openNodeNetns(options));
      const served = starting.use(new CniServer(options, node, sink));
      await listen(served.server, options.path);
      return starting.move();
    },
  };
}

class CniServer implements AsyncDisposable {
  readonly server: Server;
  readonly #options: CniSocketOptions;
  readonly #node: Netns;
  readonly #sink: Sink;
  readonly #removed = new RemovedContainers();
  readonly #stop = new AbortController();
  readonly #serving = new Set<Promise<void>>();
  #active = 0;

  constructor(options: CniSocketOptions, node: Netns, sink: Sink) {
    this.#options = options;
    this.#node = node;
    this.#sink = sink;
    // Half-open: a peer may shut down its sending side after the request and still wants the reply. Paused: nothing is read from
    // a peer before its credentials are known.
    this.server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
    this.server.maxConnections = this.#maxConnections + REPLYING;
    // Failing to listen is thrown by listen(); what comes later is a failed accept(2), for instance for want of descriptors.
    this.server.on("error", (error) =>
      this.#options.log.error({ error: errorMessage(error) }, "the CNI socket failed"),
    );
  }

  get #maxConnections(): number {
    return this.#options.maxConnections ?? 128;
  }

  /** Stops accepting, answers those that wait with code 11, and resolves when every connection is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.server.listening ? new Promise((resolve) => this.server.close(resolve)) : undefined;
    this.#stop.abort();
    await Promise.all(this.#serving);
    await closed;
  }

  #accept(socket: Socket): void {
    const serving = this.#serve(socket).catch((error: unknown) => {
      socket.destroy();
      this.#options.log.warn({ error: errorMessage(error) }, "a connection on the CNI socket broke");
    });
    this.#serving.add(serving);
    void serving.finally(() => this.#serving.delete(serving));
  }

  async #serve(socket: Socket): Promise<void> {
    // Without a listener an error of a socket would end the process; it also ends what waits for the socket, which reports it.
    socket.on("error", (error) =>
      this.#options.log.debug({ error: errorMessage(error) }, "a CNI peer's socket failed"),
    );
    if (this.#active >= this.#maxConnections) {
      return reply(
        socket,
        refuse(CNI_CODES.tryAgainLater, `more than ${this.#maxConnections} requests at once; try again`),
      );
    }
    const answered = await this.#answer(socket);
    if (answered === undefined) socket.destroy();
    else await reply(socket, answered.reply);
  }

  async #answer(socket: Socket): Promise<Answered | undefined> {
    const gone = new AbortController();
    const onClose = () => gone.abort();
    socket.once("close", onClose);
    this.#active += 1;
    const startedAt = performance.now();
    try {
      const { engine, log, deadlineMs = 10_000, requestTimeoutMs = 5000 } = this.#options;
      const signal = AbortSignal.any([gone.signal, this.#stop.signal]);
      const context = { engine, log, deadlineMs, signal, node: this.#node, sink: this.#sink, removed: this.#removed };
      const answered = await answer(socket, requestTimeoutMs, context);
      if (answered !== undefined) this.#report(answered, performance.now() - startedAt);
      return answered;
    } finally {
      this.#active -= 1;
      socket.off("close", onClose);
    }
  }

  #report({ command, reply }: Answered, durationMs: number): void {
    const { log, onAnswer } = this.#options;
    if (reply.ok) log.debug({ command, durationMs }, "CNI request answered");
    else
      log.warn(
        { command, durationMs, code: reply.code, problem: reply.message, details: reply.details },
        "CNI request refused",
      );
    onAnswer?.({ command, code: reply.ok ? 0 : reply.code, durationMs });
  }
}
