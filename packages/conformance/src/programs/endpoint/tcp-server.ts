import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { plainAddress } from "../../lab/addresses.ts";
import { pattern } from "./pattern.ts";
import type { Accepted, Input, Output, Seen, Sunk } from "./protocol.ts";

/** Clients that never say what they want, or gave up: their sockets are closed after this time. */
const IDLE_MS = 120_000;

interface Record {
  readonly seen: Seen;
  readonly socket: Socket;
}

/** Servers of this process, on any number of ports, and the record of what they accepted. */
export class TcpServers {
  readonly #records: Record[] = [];
  readonly #listening = new Map<number, Promise<Output<"listen">>>();

  listenOnce(input: Input<"listenOnce">): Promise<Output<"listenOnce">> {
    return this.#listening.get(input.port) ?? this.listen(input);
  }

  listen(input: Input<"listen">): Promise<Output<"listen">> {
    const listening = this.#listen(input);
    this.#listening.set(input.port, listening);
    return listening;
  }

  #listen({ port, host, greeting }: Input<"listen">): Promise<Output<"listen">> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket, greeting));
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      // `::` with IPV6_V6ONLY off serves both families (Node's default).
      server.listen({ port, host: host ?? "::", backlog: 4096 }, () => {
        const address = server.address();
        resolve({ port: typeof address === "object" && address !== null ? address.port : port });
      });
    });
  }

  accepted({ port, clear }: Input<"accepted">): Output<"accepted"> {
    const found: Accepted[] = this.#records
      .filter(({ seen }) => port === undefined || seen.localPort === port)
      .map(({ seen, socket }) => ({ ...seen, bytes: socket.bytesRead, open: !socket.destroyed }));
    if (clear === true) this.#records.length = 0;
    return found;
  }

  #accept(socket: Socket, greeting: string | undefined): void {
    const seen: Seen = {
      peer: plainAddress(socket.remoteAddress ?? ""),
      peerPort: socket.remotePort ?? 0,
      local: plainAddress(socket.localAddress ?? ""),
      localPort: socket.localPort ?? 0,
    };
    this.#records.push({ seen, socket });
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    // A reset by the client is part of many tests; the record keeps what was read until then.
    socket.on("error", () => socket.destroy());
    if (greeting !== undefined) {
      socket.end(greeting);
      return;
    }
    let head = Buffer.alloc(0);
    const first = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\n");
      if (end < 0) return;
      socket.off("data", first);
      socket.pause();
      const line = head.subarray(0, end).toString("latin1").trimEnd();
      if (end + 1 < head.length) socket.unshift(head.subarray(end + 1));
      serve(socket, line, seen);
      socket.resume();
    };
    socket.on("data", first);
    socket.once("end", () => {
      if (head.indexOf("\n") < 0) socket.end();
    });
  }
}

function serve(socket: Socket, line: string, seen: Seen): void {
  const [verb, argument] = line.split(" ");
  switch (verb) {
    case "report":
      socket.end(`${JSON.stringify(seen)}\n`);
      return;
    case "echo":
      socket.pipe(socket);
      return;
    case "sink":
      sink(socket, seen);
      return;
    case "source":
      source(socket, Number(argument));
      return;
    case "GET":
    case "HEAD": {
      const body = `${JSON.stringify(seen)}\n`;
      const headers = [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json",
        `Content-Length: ${body.length}`,
        "Connection: close",
      ];
      socket.end(`${headers.join("\r\n")}\r\n\r\n${verb === "GET" ? body : ""}`);
      return;
    }
    default:
      socket.destroy();
  }
}

function sink(socket: Socket, seen: Seen): void {
  const hash = createHash("sha256");
  let bytes = 0;
  socket.on("data", (chunk) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  socket.once("end", () => {
    const sunk: Sunk = { ...seen, bytes, sha256: hash.digest("hex") };
    socket.end(`${JSON.stringify(sunk)}\n`);
  });
}

function source(socket: Socket, length: number): void {
  let done = 0;
  const pump = () => {
    while (done < length) {
      const size = Math.min(65_536, length - done);
      const more = socket.write(pattern(size, done));
      done += size;
      if (!more) {
        socket.once("drain", pump);
        return;
      }
    }
    socket.end();
  };
  pump();
}
