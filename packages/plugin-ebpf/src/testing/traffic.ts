import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { BoxPod, NodeBox } from "./node-box.ts";

const ECHO = fileURLToPath(new URL("./echo-server.ts", import.meta.url));
const CONNECT_ALL = fileURLToPath(new URL("./connect-all.ts", import.meta.url));
const CONNECT = fileURLToPath(new URL("./connect.ts", import.meta.url));

/** A program in a pod, ended when it is disposed. */
export class PodProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly lines: string[] = [];

  constructor(pod: BoxPod, command: string, ...args: string[]) {
    this.#child = spawn("nsenter", [`--net=/run/netns/${pod.netns}`, command, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (!this.#child.stdout) throw new Error(`${command} has no standard output`);
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.lines.push(line));
  }

  /** Waits until it has printed a line that matches, ten seconds unless told. */
  async line(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = this.lines.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (performance.now() > deadline)
        throw new Error(`no line matches ${pattern}; there were: ${this.lines.join(" | ")}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

/** A server that answers every connection with the address it comes from, and closes it. Both families. */
export async function startEcho(pod: BoxPod, port: number): Promise<PodProgram> {
  const server = new PodProgram(pod, process.execPath, ECHO, String(port));
  await server.line(/^listening/);
  return server;
}

/** Connects and returns what the other side said and closed with, or the code of the error it ended with. */
export async function connect(pod: BoxPod, address: string, port: number, timeoutMs = 10_000): Promise<string> {
  await using client = new PodProgram(pod, process.execPath, CONNECT, address, String(port), String(timeoutMs));
  return await client.line(/./);
}

/** The same for many connections, one after the other, by one program. `to`: address and port, with a space between. */
export async function connectAll(pod: BoxPod, to: readonly string[]): Promise<readonly string[]> {
  await using client = new PodProgram(pod, process.execPath, CONNECT_ALL, ...to);
  return JSON.parse(await client.line(/^\[/));
}

/** HAProxy as a transparent node proxy: dials the original destination from the client's own address, and says what it saw. */
export async function startProxy(box: NodeBox, pod: BoxPod): Promise<PodProgram> {
  const file = join(box.directory, `${pod.name}.cfg`);
  writeFileSync(file, HAPROXY);
  const proxy = new PodProgram(pod, process.env.MILLRACE_HAPROXY || "haproxy", "-db", "-f", file);
  const deadline = performance.now() + 10_000;
  try {
    while (!/^(<>|ECONNRESET)$/.test(await connect(pod, "127.0.0.1", 15_021))) {
      if (performance.now() > deadline) throw new Error(`HAProxy does not answer: ${proxy.lines.join(" | ")}`);
    }
  } catch (error) {
    await proxy[Symbol.asyncDispose]();
    throw error;
  }
  return proxy;
}

const frontend = (name: string, port: number) => `
frontend ${name}
  bind :::${port} v4v6 transparent
  log-format "${name} src=%ci dst=%[dst]:%[dst_port]"
  default_backend original-destination
`;

const HAPROXY = `
global
  log stdout format raw local0
  maxconn 200
defaults
  mode tcp
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend ready
  bind :::15021 v4v6
  tcp-request connection reject
${[frontend("outbound", 15_001), frontend("inbound", 15_006), frontend("hbone", 15_008)].map((text) => text.replace("bind", "log global\n  bind")).join("")}
backend original-destination
  source 0.0.0.0 usesrc clientip
  server original 0.0.0.0:0
`;
