import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Stands between a client and a server and can freeze, as a process that was sent SIGSTOP: the kernel still takes what comes and acknowledges it. */
export class TcpRelay implements AsyncDisposable {
  readonly #target: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #server: Server;
  #frozen = false;

  constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => {
      const upstream = connect(this.#target, "127.0.0.1");
      const pair = [client, upstream] as const;
      this.#pairs.add(pair);
      for (const [from, to] of [pair, [upstream, client] as const]) {
        from.on("data", (chunk) => void to.write(chunk));
        from.on("error", () => to.destroy());
        from.once("close", () => {
          to.destroy();
          this.#pairs.delete(pair);
        });
      }
      if (this.#frozen) for (const socket of pair) socket.pause();
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** What is connected now moves no more. New connections do unless `all`. */
  freeze({ all }: { readonly all: boolean }): void {
    this.#frozen = all;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  thaw(): void {
    this.#frozen = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    await closed;
  }
}
