import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { within } from "../../slow.ts";
import { Conversation, ConversationError, converse, outcomeOf } from "./conversation.ts";
import { pattern, patternDigest } from "./pattern.ts";
import type { Dial, Input, Outcome, Output, Place, Seen, StreamResult, Sunk } from "./protocol.ts";

/** Asks a server what it saw of the connection. */
export function report(dial: Dial): Promise<Outcome<Seen>> {
  return converse(dial, async (conversation) => {
    conversation.write("report\n");
    return answer<Seen>(await conversation.readToEnd());
  });
}

/** Sends bytes, half-closes, and lets the server say what arrived. */
export function upload({ bytes, ...dial }: Input<"upload">): Promise<Output<"upload">> {
  return converse(dial, async (conversation) => {
    conversation.write("sink\n");
    for (let done = 0; done < bytes; done += 65_536) {
      await conversation.writeBulk(pattern(Math.min(65_536, bytes - done), done));
    }
    conversation.socket.end();
    const sunk = answer<Sunk>(await conversation.readToEnd());
    return { ...sunk, sent: bytes, sentSha256: patternDigest(bytes) };
  });
}

export function download({ bytes, ...dial }: Input<"download">): Promise<Output<"download">> {
  return converse(dial, async (conversation) => {
    conversation.write(`source ${bytes}\n`);
    const hash = createHash("sha256");
    let received = 0;
    for (let piece = await conversation.piece(); piece !== undefined; piece = await conversation.piece()) {
      hash.update(piece);
      received += piece.length;
    }
    const sha256 = hash.digest("hex");
    if (received !== bytes) throw new ConversationError("EOF");
    if (sha256 !== patternDigest(bytes)) throw new ConversationError("CORRUPT");
    return { bytes: received, sha256 };
  });
}

/** Says nothing until the server has spoken: protocols where the server speaks first. */
export function listenTo({ bytes, ...dial }: Input<"listenTo">): Promise<Outcome<string>> {
  return converse(dial, async (conversation) => (await conversation.read(bytes)).toString());
}

/** Connections that stay open between requests. */
export class OpenConnections {
  readonly #open = new Map<number, { conversation: Conversation; sent: number }>();
  readonly #streams = new Map<number, { stop: AbortController; results: Promise<StreamResult>[] }>();
  #next = 1;

  async open(dial: Dial): Promise<Output<"open">> {
    const conversation = new Conversation(dial);
    const handle = this.#next++;
    const outcome = await outcomeOf(conversation, dial.timeoutMs ?? within(5_000), async () => {
      conversation.write("echo\n");
      return { handle };
    });
    if (outcome.ok) this.#open.set(handle, { conversation, sent: 0 });
    else conversation.socket.destroy();
    return outcome;
  }

  exchange({ handle, rounds, size = 64, timeoutMs = within(5_000) }: Input<"exchange">): Promise<Output<"exchange">> {
    const entry = this.#get(handle);
    return outcomeOf(entry.conversation, timeoutMs, async (conversation) => {
      for (let round = 0; round < rounds; round++) {
        await roundTrip(conversation, pattern(size, entry.sent));
        entry.sent += size;
      }
      return { rounds };
    });
  }

  close({ handle, reset }: Input<"close">): null {
    const { conversation } = this.#get(handle);
    this.#open.delete(handle);
    if (reset === true) conversation.socket.resetAndDestroy();
    else conversation.socket.destroy();
    return null;
  }

  startStreams({ targets, intervalMs }: Input<"startStreams">): Output<"startStreams"> {
    const handle = this.#next++;
    const stop = new AbortController();
    this.#streams.set(handle, { stop, results: targets.map((target) => stream(target, intervalMs, stop.signal)) });
    return { handle };
  }

  async stopStreams({ handle }: Input<"stopStreams">): Promise<Output<"stopStreams">> {
    const streams = this.#streams.get(handle);
    if (streams === undefined) throw new Error(`no streams with handle ${handle}`);
    this.#streams.delete(handle);
    streams.stop.abort();
    return Promise.all(streams.results);
  }

  #get(handle: number): { conversation: Conversation; sent: number } {
    const entry = this.#open.get(handle);
    if (entry === undefined) throw new Error(`no open connection with handle ${handle}`);
    return entry;
  }
}

/** Round trips every `intervalMs` until told to stop, or until one fails. */
async function stream(target: Place, intervalMs: number, stop: AbortSignal): Promise<StreamResult> {
  const conversation = new Conversation(target);
  let rounds = 0;
  let localPort = 0;
  try {
    const opened = await outcomeOf(conversation, within(5_000), async () => conversation.write("echo\n"));
    if (!opened.ok) return { ...target, localPort, rounds, failure: opened.failure };
    localPort = opened.localPort;
    while (!stop.aborted) {
      const result = await outcomeOf(conversation, within(5_000), () =>
        roundTrip(conversation, pattern(256, rounds * 256)),
      );
      if (!result.ok) return { ...target, localPort, rounds, failure: result.failure };
      rounds++;
      await sleep(intervalMs);
    }
    return { ...target, localPort, rounds };
  } finally {
    conversation.socket.destroy();
  }
}

async function roundTrip(conversation: Conversation, bytes: Buffer): Promise<void> {
  conversation.write(bytes);
  const back = await conversation.read(bytes.length);
  if (!back.equals(bytes)) throw new ConversationError("CORRUPT");
}

function answer<Value>(bytes: Buffer): Value {
  if (bytes.length === 0) throw new ConversationError("EOF");
  return JSON.parse(bytes.toString()) as Value;
}
