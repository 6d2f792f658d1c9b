import { once } from "node:events";
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { tcpSockets } from "linux-ts";
import type { Endpoints } from "./frames.ts";

/** A TCP connection within this process's own namespace, over loopback: both of its sockets are there to be found. */
export class Connection implements AsyncDisposable {
  readonly #server: Server;
  readonly #client: Socket;
  readonly #accepted: Socket;

  private constructor(server: Server, client: Socket, accepted: Socket) {
    this.#server = server;
    this.#client = client;
    this.#accepted = accepted;
  }

  static async open(host: "127.0.0.1" | "::1"): Promise<Connection> {
    const server = createServer({ allowHalfOpen: true }).listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const client = dial({ host, port, allowHalfOpen: true });
    const [[accepted]] = await Promise.all([once(server, "connection"), once(client, "connect")]);
    return new Connection(server, client, accepted);
  }

  /** A packet of the client, as it arrives at the server's socket. */
  get toServer(): Endpoints {
    const { localAddress = "", localPort = 0, remoteAddress = "", remotePort = 0 } = this.#client;
    return { source: localAddress, sourcePort: localPort, destination: remoteAddress, destinationPort: remotePort };
  }

  /** A packet from somebody else to the server's listener. */
  get toListener(): Endpoints {
    return { ...this.toServer, sourcePort: this.toServer.sourcePort === 1 ? 2 : 1 };
  }

  /** Closes both ends, the server's first: its socket stays in TIME_WAIT, the client's is gone. */
  async close(): Promise<Endpoints> {
    const ends = this.toServer;
    this.#accepted.end();
    await once(this.#client.resume(), "end");
    this.#client.end();
    await once(this.#accepted.resume(), "close");
    const deadline = Date.now() + 5000;
    while (!isTimeWait(ends)) {
      if (Date.now() > deadline) throw new Error(`no TIME_WAIT for port ${ends.sourcePort}`);
      await sleep(5);
    }
    return ends;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy();
    this.#accepted.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function isTimeWait({ sourcePort, destinationPort }: Endpoints): boolean {
  return tcpSockets(undefined, { states: ["time-wait"] }).some(
    (socket) => socket.sourcePort === destinationPort && socket.destinationPort === sourcePort,
  );
}
