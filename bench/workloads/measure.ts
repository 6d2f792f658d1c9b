import { type ChildProcess, spawn } from "node:child_process";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Distribution, distribution } from "../statistics.ts";
import type { Variant } from "../variants.ts";
import type { DriverSettings, Step } from "./driver.ts";
import { dump } from "./dump.ts";
import type { BenchNode } from "./node.ts";

/** Milliseconds. */
export interface Measurement {
  readonly variant: Variant;
  readonly install: number;
  readonly apply: Distribution;
  /** The same of the last tenth of them, when nearly all others are there. */
  readonly lastApply: Distribution;
  /** All workloads once more, with nothing to do. */
  readonly again: number;
  /** Lines of the kernel's state that differ after that: there must be none. */
  readonly changedAgain: number;
  readonly uninstall: number;
  readonly rebuild: number;
}

/** As this file is: a source or built. */
const DRIVER = fileURLToPath(new URL(`./driver${extname(import.meta.url)}`, import.meta.url));

export async function measure(node: BenchNode, variant: Variant): Promise<Measurement> {
  await using driver = new Driver(node, variant);
  const [install = 0] = await driver.step("install");
  const times = await driver.step("apply");
  const before = dump(node);
  const [again = 0] = await driver.step("again");
  const changedAgain = difference(before, dump(node));
  const [uninstall = 0] = await driver.step("uninstall");
  const [rebuild = 0] = await driver.step("rebuild");
  await driver.step("uninstall");
  const lastApply = distribution(times.slice(-Math.ceil(times.length / 10)));
  return { variant, install, apply: distribution(times), lastApply, again, changedAgain, uninstall, rebuild };
}

/** Milliseconds of CPU time that reading everything takes, with all workloads enrolled. What is enrolled goes with the node. */
export async function measureReading(node: BenchNode, variant: Variant): Promise<number> {
  await using driver = new Driver(node, variant);
  await driver.step("rebuild");
  const [reading = 0] = await driver.step("observe");
  return reading;
}

function difference(before: string, after: string): number {
  const [old, now] = [before.split("\n"), after.split("\n")];
  const [had, has] = [new Set(old), new Set(now)];
  return old.filter((line) => !has.has(line)).length + now.filter((line) => !had.has(line)).length;
}

/** The process in the node's network namespace, with a BPF file system in a mount namespace of its own. */
class Driver implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor({ path, directory, workloads, proxy }: BenchNode, variant: Variant) {
    const bpffs = `${directory}/bpf`;
    const mount = `mkdir -p ${bpffs} && mount -t bpf bpf ${bpffs} && exec "$@"`;
    const program = [process.execPath, ...process.execArgv, "--disable-warning=ExperimentalWarning", DRIVER];
    const inside = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", mount, "sh", ...program];
    this.#child = spawn("nsenter", [`--net=${path}`, ...inside], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#child.stdout === null) throw new Error("the driver has no standard output");
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    const settings: DriverSettings = { variant, workloads, proxy, host: { bpffs, journal: `${directory}/journal` } };
    this.#write(JSON.stringify(settings));
  }

  async step(step: Step): Promise<number[]> {
    this.#write(step);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error(`the driver ended at ${step}: see its message above`);
    return JSON.parse(value);
  }

  #write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGKILL");
    await ended;
  }
}
