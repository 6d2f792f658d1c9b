import { fileURLToPath } from "node:url";
import type { BoxPod } from "./node-box.ts";
import { PodProgram } from "./traffic.ts";

const SERVER = fileURLToPath(new URL("./dns-server.ts", import.meta.url));
const CLIENT = fileURLToPath(new URL("./dns-client.ts", import.meta.url));

/** A server in a pod that answers as dns-server.ts says. */
export async function startDns(pod: BoxPod, name: string, port: number): Promise<PodProgram> {
  const server = new PodProgram(pod, process.execPath, SERVER, name, String(port));
  await server.line(/^listening/);
  return server;
}

export interface Asking {
  readonly servers: readonly string[];
  /** Length of an answer. */
  readonly bytes?: number;
  readonly localPort?: number;
  readonly timeoutMs?: number;
}

/** What each server answered over UDP, as dns-client.ts prints it. */
export async function ask(pod: BoxPod, { servers, bytes = 100, localPort = 0, timeoutMs = 5_000 }: Asking) {
  const args = [String(localPort), String(bytes), String(timeoutMs), ...servers];
  await using client = new PodProgram(pod, process.execPath, CLIENT, ...args);
  await client.line(/^done/);
  return client.lines.slice(0, -1);
}

const ASK_TCP = `
const { connect } = require("node:net");
const socket = connect({ host: process.argv[1], port: 53 }, () => socket.write("\\0\\0\\x0060 " + process.argv[1]));
let text = "";
socket.setEncoding("latin1");
socket.on("data", (chunk) => { text += chunk; });
socket.on("close", (failed) => { if (!failed) end(text.slice(3).replace(/\\.*$/, "").trim()); });
socket.on("error", (error) => end(error.code));
const end = (line) => { console.log(line); process.exit(); };
setTimeout(() => end("-"), Number(process.argv[2]));
`;

/** What a server answered over TCP, or the code of the error. */
export async function askTcp(pod: BoxPod, server: string, timeoutMs = 5_000): Promise<string> {
  await using client = new PodProgram(pod, process.execPath, "-e", ASK_TCP, server, String(timeoutMs));
  return await client.line(/./);
}
