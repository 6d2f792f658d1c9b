import { createSocket } from "node:dgram";

/**
 * Asks several servers at once from one UDP socket, each after its own address, and prints for each answer who sent it and how it
 * begins: `198.18.53.1: proxy 198.18.53.1 from 198.18.1.11 (512)`. `-` for those that did not answer in time.
 * Arguments: the local port (0: any), bytes of an answer, milliseconds to wait, the servers.
 */
const [local, bytes, timeout, ...servers] = process.argv.slice(2);
/** What stands before a question: see dns-server.ts. */
const HEAD = Buffer.from([0, 0, 0]);
const socket = createSocket({ type: servers[0]?.includes(":") ? "udp6" : "udp4" });
const answers = new Map<string, string>();

function end(): never {
  for (const server of servers) console.log(`${server}: ${answers.get(server) ?? "-"}`);
  console.log("done");
  process.exit();
}

socket.on("message", (message, { address }) => {
  answers.set(address, `${message.toString("latin1", HEAD.length).replace(/\.*$/, "").trim()} (${message.length})`);
  if (servers.every((server) => answers.has(server))) end();
});
// Refused by a port that nobody listens on.
socket.on("error", () => {});
socket.bind(Number(local), () => {
  for (const server of servers) socket.send([HEAD, `${bytes} ${server}`], 53, server);
});
setTimeout(end, Number(timeout));
