/**
 * What can be asked of an endpoint, the one process per namespace that serves and dials. Requests and answers are lines of
 * JSON on its standard input and output.
 *
 * On TCP an endpoint speaks the same on every port. The first line a client sends chooses:
 *   `report`        one line of JSON, a {@link Seen}, then the server closes first
 *   `echo`          whatever follows comes back
 *   `sink`          reads to the end, answers with one line of JSON, a {@link Sunk}
 *   `source <n>`    n bytes of {@link pattern}, then closes
 *   an HTTP request a {@link Seen} as the body of a 200, connection closed
 * On UDP every datagram comes back, preceded by the address it came from.
 */

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** What a server saw of one connection. */
export interface Seen {
  /** Address and port of the peer as the server's socket knows them. */
  readonly peer: string;
  readonly peerPort: number;
  /** Address and port the connection was accepted on. */
  readonly local: string;
  readonly localPort: number;
}

/** A connection in the record of a server. */
export interface Accepted extends Seen {
  readonly bytes: number;
  readonly open: boolean;
}

export interface Sunk extends Seen {
  readonly bytes: number;
  readonly sha256: string;
}

/** How to dial. */
export interface Dial extends Place {
  /** Source address to bind to. */
  readonly localAddress?: string;
  /** Source port to bind to. */
  readonly localPort?: number;
  /** Milliseconds for the whole conversation; default 5 000. */
  readonly timeoutMs?: number;
}

/**
 * Why a conversation failed: the errno name (`ECONNREFUSED`, `ECONNRESET`, `EHOSTUNREACH` …), `TIMEOUT` when its time was
 * up, `EOF` when the peer closed too early, `CORRUPT` when other bytes came back than were sent.
 */
export type Failure = string;

/**
 * How a conversation went. `connected`: the handshake was completed; `received`: bytes from the peer. A failed one has its
 * source port as long as the kernel still told it.
 */
export type Outcome<Value> =
  | {
      readonly ok: true;
      readonly value: Value;
      readonly local: string;
      readonly localPort: number;
      readonly ms: number;
    }
  | {
      readonly ok: false;
      readonly failure: Failure;
      readonly connected: boolean;
      readonly received: number;
      readonly localPort?: number;
      readonly ms: number;
    };

/** One stream of checked round trips that was kept going for a while. */
export interface StreamResult extends Place {
  readonly localPort: number;
  readonly rounds: number;
  readonly failure?: Failure;
}

/** Many short connections at a steady rate. */
export interface LoadRequest {
  /** Taken in turn. */
  readonly targets: readonly Place[];
  /** New connections per second. */
  readonly rate: number;
  readonly seconds: number;
  readonly timeoutMs?: number;
}

/** A connection of a load that failed. */
export interface LoadFailure {
  readonly target: Place;
  /** Source port, as far as one was chosen. */
  readonly localPort?: number;
  /** When it was begun, in milliseconds from the start of the load. */
  readonly atMs: number;
  readonly failure: Failure;
  /** How far it came, and milliseconds until it failed. */
  readonly connected: boolean;
  readonly received: number;
  readonly ms: number;
}

export interface LoadResult {
  readonly attempts: number;
  readonly succeeded: number;
  readonly failures: readonly LoadFailure[];
  /** Of the successful ones, milliseconds from connect to the whole answer. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** Requests by verb, with what goes in and what comes out. */
export interface Verbs {
  listen: { in: { port: number; host?: string; greeting?: string }; out: { port: number } };
  /** As `listen`, but listening already is success. */
  listenOnce: { in: { port: number; host?: string }; out: { port: number } };
  /** On a host with several addresses name the one to answer from: answers to `::` leave from whichever the route prefers. */
  listenUdp: { in: { port: number; host?: string }; out: { port: number } };
  accepted: { in: { port?: number; clear?: boolean }; out: readonly Accepted[] };
  report: { in: Dial; out: Outcome<Seen> };
  upload: { in: Dial & { bytes: number }; out: Outcome<Sunk & { sent: number; sentSha256: string }> };
  download: { in: Dial & { bytes: number }; out: Outcome<{ bytes: number; sha256: string }> };
  /** Reads what the server says first, to its end or `bytes`. */
  listenTo: { in: Dial & { bytes: number }; out: Outcome<string> };
  open: { in: Dial; out: Outcome<{ handle: number }> };
  /** Round trips on an open connection, each checked. */
  exchange: {
    in: { handle: number; rounds: number; size?: number; timeoutMs?: number };
    out: Outcome<{ rounds: number }>;
  };
  /** Closes an open connection, in order or by reset. */
  close: { in: { handle: number; reset?: boolean }; out: null };
  udp: { in: Dial & { rounds: number; size?: number }; out: Outcome<{ rounds: number; peer: string }> };
  /** The TXT record of a name, from each server by UDP: who answered, from which port, and what; empty where nothing came. */
  askDns: {
    in: { servers: readonly Place[]; name: string; timeoutMs?: number };
    out: readonly { readonly server: string; readonly port: number; readonly text: string }[];
  };
  askDnsByTcp: { in: Dial & { name: string }; out: Outcome<string> };
  startStreams: { in: { targets: readonly Place[]; intervalMs: number }; out: { handle: number } };
  stopStreams: { in: { handle: number }; out: readonly StreamResult[] };
  load: { in: LoadRequest; out: LoadResult };
}

export type Verb = keyof Verbs;
export type Input<V extends Verb> = Verbs[V]["in"];
export type Output<V extends Verb> = Verbs[V]["out"];

export interface Request {
  readonly id: number;
  readonly verb: Verb;
  readonly input: unknown;
}

export type Reply =
  | { readonly id: number; readonly output: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly ready: true };
