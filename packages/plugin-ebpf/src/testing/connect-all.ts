import { connect } from "node:net";
import { text } from "node:stream/consumers";

/** One connection after the other to the `address port` of each argument; prints what each said before it closed, or the code of its error, as JSON. */
const answers: string[] = [];
for (const target of process.argv.slice(2)) {
  const [host = "", port] = target.split(" ");
  const socket = connect({ host, port: Number(port) });
  socket.setTimeout(10_000, () => socket.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })));
  answers.push(await text(socket).catch((error: NodeJS.ErrnoException) => error.code ?? "unknown"));
}
console.log(JSON.stringify(answers.map((answer) => answer.trim())));
