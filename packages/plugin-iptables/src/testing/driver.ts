import { type ChildProcess, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LabNode, LabPod } from "@millrace/conformance";
import type { NodePolicy, NodeProxy, Observation, PodInterface, Proxies, Workload } from "@millrace/core";
import type { z } from "zod";
import type { configSchema } from "../config.ts";

const PROCESS = fileURLToPath(import.meta.resolve("./driver-process.ts"));

export interface DriverOptions {
  /** Module of another backend; default: this one. */
  readonly plugin?: string;
  readonly config?: z.input<typeof configSchema>;
  readonly policy?: Partial<NodePolicy>;
}

/** The backend in a process of its own on a node of the lab, as an agent would run it. Disposing ends the process and leaves the kernel. */
export class Driver implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #log: string[] = [];

  private constructor(child: ChildProcess, lines: Interface) {
    this.#child = child;
    this.#answers = lines[Symbol.asyncIterator]();
    child.stderr?.on("data", (text: Buffer) => this.#log.push(String(text)));
  }

  static async open(
    { namespace, paths }: LabNode,
    { plugin, config = {}, policy = {} }: DriverOptions = {},
  ): Promise<Driver> {
    const settings = {
      plugin,
      config,
      policy: { failurePolicy: "closed", localDelivery: "direct", ...policy },
      host: { bpffs: paths.bpffs, journal: paths.journal },
    };
    const program = [process.execPath, "--conditions=source", PROCESS, JSON.stringify(settings)];
    const child = spawn("nsenter", [`--net=${namespace.path}`, ...program], { stdio: ["pipe", "pipe", "pipe"] });
    const driver = new Driver(child, createInterface({ input: child.stdout }));
    try {
      await driver.#ask("open");
      return driver;
    } catch (error) {
      await driver[Symbol.asyncDispose]();
      throw error;
    }
  }

  useProxies = (proxies: Proxies): Promise<void> => this.#ask("useProxies", proxies);
  useNode = (addresses: readonly string[]): Promise<void> => this.#ask("useNode", { addresses });
  apply = (workload: Workload): Promise<void> => this.#ask("apply", workload);
  remove = (uid: string): Promise<void> => this.#ask("remove", uid);
  observe = (): Promise<Observation> => this.#ask("observe");
  uninstall = (): Promise<void> => this.#ask("uninstall");

  async #ask<T>(verb: string, argument?: unknown): Promise<T> {
    this.#child.stdin?.write(`${JSON.stringify({ verb, argument })}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`the process ended at ${verb}:\n${this.#log.join("")}`);
    const { result, error } = JSON.parse(value);
    if (error !== undefined) throw Object.assign(new Error(error.message), { code: error.code });
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}

export async function workloadOf(pod: LabPod, more: Partial<Workload> = {}): Promise<Workload> {
  return {
    uid: pod.uid,
    namespace: pod.kubernetesNamespace,
    name: pod.name,
    addresses: [pod.addresses[4], pod.addresses[6]],
    interface: await interfaceOf(pod),
    enrolExisting: "drain",
    dnsCapture: false,
    exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
    ...more,
  };
}

export async function proxyOf(pod: LabPod): Promise<NodeProxy> {
  const { uid, namespace, addresses } = pod;
  return {
    uid,
    key: `${uid}@${namespace.inode}`,
    namespace: pod.kubernetesNamespace,
    name: pod.name,
    addresses: [addresses[4], addresses[6]],
    interface: await interfaceOf(pod),
  };
}

async function interfaceOf({ namespace, hostInterface: hostName }: LabPod): Promise<PodInterface> {
  const [inner] = JSON.parse(await namespace.runChecked("ip", ["-j", "link", "show", "eth0"]));
  return {
    netns: namespace.path,
    netnsInode: namespace.inode,
    name: "eth0",
    mac: inner.address,
    hostName,
    hostIndex: inner.link_index,
  };
}
