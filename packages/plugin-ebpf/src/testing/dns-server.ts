import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Id and flags of a DNS message's head, as far as anybody looks: an answer has the bit QR (RFC 1035 section 4.1.1). */
const HEAD = Buffer.from([0, 0, 0x80]);

/**
 * Answers questions that begin with a number of bytes and a name, `512 one`, with that many bytes that begin with who answered what:
 * `proxy one from 198.18.1.11`. Over UDP and TCP, both families. Each message has three bytes before it.
 */
const [name = "", port] = process.argv.slice(2);

function answer(question: Buffer, from: string): Buffer {
  const [bytes, ...asked] = question.subarray(HEAD.length).toString().trim().split(" ");
  const text = `${name} ${asked.join(" ")} from ${from.replace("::ffff:", "")} `;
  return Buffer.concat([HEAD, Buffer.from(text.padEnd(Number(bytes) - HEAD.length, "."))]);
}

const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", (data) => socket.end(answer(data, socket.remoteAddress ?? "")));
});
const socket = createSocket({ type: "udp6" });
socket.on("message", (message, from) => {
  socket.send(answer(message, from.address), from.port, from.address);
});
server.listen({ port: Number(port), host: "::" }, () => {
  socket.bind(Number(port), "::", () => console.log("listening"));
});
