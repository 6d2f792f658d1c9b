import { connect } from "node:net";

/** Prints, without line breaks, all that the other side sent before it closed; or the code of the error. */
const [address = "", port, timeout] = process.argv.slice(2);
const socket = connect({ host: address, port: Number(port) });
let text = "";
const end = (result: string) => {
  console.log(result);
  process.exit();
};
socket.on("data", (chunk) => {
  text += chunk;
});
socket.on("close", () => end(`<${text.trim()}>`));
socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? "unknown"));
setTimeout(() => end("ETIMEDOUT"), Number(timeout));
