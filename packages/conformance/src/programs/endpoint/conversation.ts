import { connect, type Socket } from "node:net";
import { plainAddress } from "../../lab/addresses.ts";
import { within } from "../../slow.ts";
import type { Dial, Failure, Outcome } from "./protocol.ts";

/** A failed conversation, carrying its {@link Failure}. */
export class ConversationError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure);
    this.failure = failure;
  }
}

/** One TCP connection that can be read piece by piece. Failures reject the read or write that meets them. */
export class Conversation {
  readonly socket: Socket;
  readonly started = performance.now();
  connected = false;
  received = 0;
  localPort: number | undefined;
  #chunks: Buffer[] = [];
  #failure: Failure | undefined;
  #wake: (() => void) | undefined;

  constructor(dial: Dial) {
    this.socket = connect({
      host: dial.host,
      port: dial.port,
      noDelay: true,
      ...(dial.localAddress === undefined ? {} : { localAddress: dial.localAddress }),
      ...(dial.localPort === undefined ? {} : { localPort: dial.localPort }),
    });
    this.socket.on("connect", () => {
      this.connected = true;
      this.localPort = this.socket.localPort;
      this.#wake?.();
    });
    this.socket.on("data", (chunk) => {
      this.received += chunk.length;
      this.#chunks.push(chunk);
      this.#wake?.();
    });
    this.socket.on("end", () => this.#fail("EOF"));
    this.socket.on("error", (error: NodeJS.ErrnoException) => this.#fail(error.code ?? error.message));
    this.socket.on("close", () => this.#fail("EOF"));
  }

  get ms(): number {
    return Math.round((performance.now() - this.started) * 10) / 10;
  }

  /** Resolves when the handshake is done. */
  async established(): Promise<void> {
    while (!this.connected) await this.#next();
  }

  write(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Writes and waits until the socket takes more: backpressure for bulk. */
  async writeBulk(data: Uint8Array): Promise<void> {
    if (this.#failure !== undefined && this.#failure !== "EOF") throw new ConversationError(this.#failure);
    if (this.socket.write(data)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.socket.off("drain", done);
        this.socket.off("close", done);
        resolve();
      };
      this.socket.once("drain", done);
      this.socket.once("close", done);
    });
  }

  /** Exactly `length` bytes. */
  async read(length: number): Promise<Buffer> {
    while (this.#buffered() < length) await this.#next();
    const all = Buffer.concat(this.#chunks);
    this.#chunks = all.length > length ? [all.subarray(length)] : [];
    return all.subarray(0, length);
  }

  /** The next piece of data, or `undefined` at the end. */
  async piece(): Promise<Buffer | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#failure === "EOF") return undefined;
      await this.#next();
    }
    return this.#chunks.shift();
  }

  /** Everything up to the peer's end of stream. */
  async readToEnd(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let piece = await this.piece(); piece !== undefined; piece = await this.piece()) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** Gives up from outside: whoever waits gets this failure. */
  abort(failure: Failure): void {
    this.localPort ??= this.socket.localPort;
    this.#fail(failure);
    this.socket.destroy();
  }

  #buffered(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  #fail(failure: Failure): void {
    this.#failure ??= failure;
    this.#wake?.();
  }

  async #next(): Promise<void> {
    if (this.#failure !== undefined) throw new ConversationError(this.#failure);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }
}

/** Runs `talk` on a conversation with a time limit and turns whatever happens into an {@link Outcome}. */
export async function outcomeOf<Value>(
  conversation: Conversation,
  timeoutMs: number,
  talk: (conversation: Conversation) => Promise<Value>,
): Promise<Outcome<Value>> {
  const timer = setTimeout(() => conversation.abort("TIMEOUT"), timeoutMs);
  try {
    await conversation.established();
    const local = plainAddress(conversation.socket.localAddress ?? "");
    const localPort = conversation.socket.localPort ?? 0;
    return { ok: true, value: await talk(conversation), local, localPort, ms: conversation.ms };
  } catch (error) {
    if (!(error instanceof ConversationError)) throw error;
    const { connected, received, localPort, ms } = conversation;
    const source = localPort === undefined ? {} : { localPort };
    return { ok: false, failure: error.failure, connected, received, ...source, ms };
  } finally {
    clearTimeout(timer);
  }
}

/** A whole conversation: dial, talk, hang up. */
export async function converse<Value>(
  dial: Dial,
  talk: (conversation: Conversation) => Promise<Value>,
): Promise<Outcome<Value>> {
  const conversation = new Conversation(dial);
  try {
    return await outcomeOf(conversation, dial.timeoutMs ?? within(5_000), talk);
  } finally {
    conversation.socket.destroy();
  }
}
