import { createServer } from "node:net";

/** Answers each connection with the peer's address and closes it. */
const server = createServer((socket) => socket.on("error", () => {}).end(`${socket.remoteAddress}\n`));
server.listen({ port: Number(process.argv[2]), host: "::" }, () => console.log("listening"));
