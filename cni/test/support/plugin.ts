import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const binary = join(import.meta.dirname, "../../build/millrace");

/** A pod as the container runtimes tell of it. */
export const pod = { namespace: "shop", name: "cart-5f7", uid: "0b8d3e5c-1a2f-4c3d-9e8f-001122334455" };

export function podArgs({ namespace, name, uid } = pod): string {
  return `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=${uid}`;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a runtime sets for an attachment; a test sets over it, and `undefined` leaves a variable out. */
const attachment = {
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/run/netns/cart",
  CNI_IFNAME: "eth0",
  CNI_ARGS: podArgs(),
  CNI_PATH: "/opt/cni/bin",
};

export const prevResult = {
  cniVersion: "1.1.0",
  interfaces: [
    { name: "veth1", mac: "02:00:00:00:00:01" },
    { name: "eth0", mac: "02:00:00:00:00:02", mtu: 1500, sandbox: "/run/netns/cart" },
  ],
  ips: [{ address: "198.18.1.10/32", gateway: "198.18.1.1", interface: 1 }],
  routes: [{ dst: "0.0.0.0/0" }],
  dns: {},
};

/** The network configuration as libcni gives it to the last plugin of a chain. */
export function networkConfig(more: object = {}): object {
  return { cniVersion: "1.1.0", name: "cbr0", type: "millrace", prevResult, ...more };
}

/** The network configuration as text or bytes; an object becomes JSON. */
export type Input = object | string | Uint8Array;

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: string;
}

export interface Outcome {
  readonly exit: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Standard error, which is one JSON object a line. */
  readonly log: readonly LogLine[];
  readonly ms: number;
}

/** For stdin that is never written nor closed. */
export const OPEN = Symbol("open");

/** Executes the plugin as a container runtime does. */
export async function plugin(command: string, stdin: Input | typeof OPEN, env: Environment = {}): Promise<Outcome> {
  const started = performance.now();
  const process = spawn(binary, [], { env: { ...attachment, CNI_COMMAND: command, ...env }, timeout: 30_000 });
  // A plugin that refuses its input does not read it to the end.
  process.stdin.on("error", () => {});
  if (stdin !== OPEN) process.stdin.end(inputText(stdin));
  const closed = once(process, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const [stdout, stderr, [exit, signal]] = await Promise.all([text(process.stdout), text(process.stderr), closed]);
  const log = stderr.split("\n").filter((line) => line !== "");
  return { exit, signal, stdout, log: log.map((line) => JSON.parse(line)), ms: performance.now() - started };
}

function inputText(stdin: Input): string | Uint8Array {
  return typeof stdin === "string" || stdin instanceof Uint8Array ? stdin : JSON.stringify(stdin);
}

/** The error result on stdout; throws when this is none: a failed call exits with 1 and prints nothing else. */
export function errorOf({ exit, stdout }: Outcome): {
  cniVersion: string;
  code: number;
  msg: string;
  details?: string;
} {
  if (exit !== 1) throw new Error(`the plugin exited with ${exit} and printed ${stdout}`);
  const error = JSON.parse(stdout);
  const unknown = Object.keys(error).filter((key) => !["cniVersion", "code", "msg", "details"].includes(key));
  if (unknown.length > 0) throw new Error(`unknown keys in ${stdout}`);
  return error;
}
