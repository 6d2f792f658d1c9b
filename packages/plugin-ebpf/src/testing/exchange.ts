import { createHash, randomBytes } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Two programs that send each other streams which prove themselves: random bytes, then their SHA-256 and how many they were, then FIN. Each direction on its own,
 * in pieces of any size, some of them after a pause.
 *
 *     exchange.ts serve PORT [READ_AFTER_MS]
 *     exchange.ts pattern PORT READ_AFTER_MS     takes streams whose byte n is n % 251, and sends nothing
 *     exchange.ts call ADDRESS PORT CONNECTIONS AT_ONCE MOST_BYTES [START_AFTER_MS]
 *
 * The server prints a line for each stream that it got; the client what it got in all, at its end.
 */
const DIGEST = 32;
const LENGTH = 6;
const PAUSES = 0.05;

/** Deterministic enough to be told apart, random enough to differ in each run: sizes and pauses need no more. */
const below = (most: number): number => Math.floor(Math.random() * most);

/** Small ones as often as large ones. */
const pieceSize = (left: number): number => Math.min(left, 1 + below(2 ** (1 + below(17))));

function lengthOf(bytes: number): Buffer {
  const buffer = Buffer.alloc(LENGTH);
  buffer.writeUIntBE(bytes, 0, LENGTH);
  return buffer;
}

async function send(socket: Socket, bytes: number): Promise<void> {
  const hash = createHash("sha256");
  for (let left = bytes; left > 0 && !socket.destroyed; ) {
    const piece = randomBytes(pieceSize(left));
    hash.update(piece);
    left -= piece.length;
    if (!socket.write(piece)) await drained(socket);
    if (Math.random() < PAUSES) await sleep(below(3));
  }
  socket.end(Buffer.concat([hash.digest(), lengthOf(bytes)]));
}

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });

/** `ok` and how many bytes it had, or what is wrong with it. By events: an async iterator would end the other direction as well. */
function receive(socket: Socket): Promise<string> {
  const hash = createHash("sha256");
  let held = Buffer.alloc(0);
  let bytes = 0;
  socket.on("data", (piece: Buffer) => {
    held = Buffer.concat([held, piece]);
    const sure = Math.max(0, held.length - DIGEST - LENGTH);
    hash.update(held.subarray(0, sure));
    bytes += sure;
    held = held.subarray(sure);
  });
  return new Promise((resolve) => {
    socket.once("end", () => {
      const isWhole = held.length === DIGEST + LENGTH && held.readUIntBE(DIGEST, LENGTH) === bytes;
      if (!isWhole) resolve(`short after ${bytes}`);
      else resolve(hash.digest().equals(held.subarray(0, DIGEST)) ? `ok ${bytes}` : `wrong after ${bytes}`);
    });
    socket.once("error", ({ code }: NodeJS.ErrnoException) => resolve(`broken after ${bytes}: ${code}`));
    socket.once("close", () => resolve(`closed after ${bytes}`));
  });
}

async function exchange(socket: Socket, bytes: number, readAfterMs = 0): Promise<string> {
  socket.setNoDelay(true);
  const sent = send(socket, bytes);
  if (readAfterMs > 0) await sleep(readAfterMs);
  // Nobody may end this program while it has bytes to send.
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const [got] = await Promise.all([receive(socket), sent, closed]);
  return got;
}

async function call(address: string, port: number, mostBytes: number): Promise<string> {
  const socket = connect({ host: address, port, allowHalfOpen: true, autoSelectFamily: false });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return await exchange(socket, below(mostBytes));
}

/** Where a stream of bpf/test/programs/odd-client.c is not what it was, or how long it is. */
async function followPattern(socket: Socket, readAfterMs: number): Promise<string> {
  socket.pause();
  await sleep(readAfterMs);
  let bytes = 0;
  for await (const piece of socket as AsyncIterable<Buffer>) {
    for (const byte of piece) {
      if (byte !== bytes % 251) return `wrong after ${bytes}`;
      bytes++;
    }
  }
  return `ok ${bytes}`;
}

const [mode, ...args] = process.argv.slice(2);
if (mode === "pattern") {
  const [port, readAfterMs = 0] = args.map(Number);
  const server = createServer(async (socket) => {
    socket.on("error", () => {});
    console.log(await followPattern(socket, readAfterMs));
  });
  server.listen(port, "::", () => console.log("listening"));
} else if (mode === "serve") {
  const [port, readAfterMs = 0] = args.map(Number);
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    socket.on("error", () => {});
    const bytes = readAfterMs > 0 ? 1 : below(1 << 18);
    console.log(await exchange(socket, bytes, readAfterMs));
  });
  server.listen(port, "::", () => console.log("listening"));
} else {
  const [address = "", ...numbers] = args;
  const [port = 0, connections = 1, atOnce = 1, mostBytes = 1, startAfterMs = 0] = numbers.map(Number);
  await sleep(startAfterMs);
  const results: string[] = [];
  let left = connections;
  const worker = async () => {
    while (left-- > 0) results.push(await call(address, port, mostBytes).catch((error) => `refused: ${error.code}`));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const bytes = results.reduce((sum, text) => sum + Number(/^ok (\d+)$/.exec(text)?.[1] ?? 0), 0);
  console.log(
    JSON.stringify({
      ok: results.filter((text) => text.startsWith("ok")).length,
      bytes,
      failed: results.filter((text) => !text.startsWith("ok")),
    }),
  );
}
