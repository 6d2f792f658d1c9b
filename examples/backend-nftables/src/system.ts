import { execFile } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";

const start = promisify(execFile);

/** Where a program runs: the node's network namespace, or the one that this file refers to. */
export type Place = string | undefined;

/** Runs a program to its end and returns what it printed. It dies with this process: nothing may be written by an agent that is gone. */
export async function run(place: Place, input: string, program: string, ...args: string[]): Promise<string> {
  const line = [
    "--pdeathsig",
    "KILL",
    "--",
    ...(place === undefined ? [] : ["nsenter", `--net=${place}`, "--"]),
    program,
    ...args,
  ];
  const running = start("setpriv", line, { maxBuffer: 1 << 26 });
  // A program that ends before it has read everything says why itself.
  running.child.stdin?.on("error", () => undefined).end(input);
  try {
    return (await running).stdout;
  } catch (cause) {
    const { stderr = "" } = cause as { stderr?: string };
    throw new Error(`${program} ${args.join(" ")}${place === undefined ? "" : ` in ${place}`}: ${stderr.trim()}`, {
      cause,
    });
  }
}

/** One transaction: all of it, or nothing. */
export async function transact(place: Place, lines: readonly string[]): Promise<void> {
  await run(place, lines.join("\n"), "nft", "-f", "-");
}

/** What a table holds, as `nft` prints it with numbers for names; nothing when it is not there. */
export async function table(place: Place, family: string, name: string): Promise<string> {
  const tables = await run(place, "", "nft", "list", "tables", family);
  return tables.includes(`table ${family} ${name}\n`)
    ? run(place, "", "nft", "-nn", "list", "table", family, name)
    : "";
}

interface Noted {
  /** What stood there before, by path. */
  sysctls: Record<string, string>;
  /** Files of the network namespaces that hold something of ours. */
  namespaces: string[];
}

/** What was changed beside our tables, on disk before it is changed: an uninstallation knows nothing else. */
export class Notes {
  readonly #file: string;
  readonly #noted: Noted;

  constructor(directory: string) {
    this.#file = `${directory}/nftables.json`;
    this.#noted = JSON.parse(readText(this.#file) ?? '{ "sysctls": {}, "namespaces": [] }');
  }

  get namespaces(): readonly string[] {
    return this.#noted.namespaces.filter((netns) => existsSync(netns));
  }

  enters(netns: string): void {
    if (this.#noted.namespaces.includes(netns)) return;
    this.#noted.namespaces.push(netns);
    this.#save();
  }

  left(netns: string): void {
    this.#noted.namespaces = this.#noted.namespaces.filter((other) => other !== netns);
    this.#save();
  }

  setSysctl(path: string, value: string): void {
    const present = readText(path)?.trim();
    if (present === undefined || present === value) return;
    this.#noted.sysctls[path] ??= present;
    this.#save();
    writeFileSync(path, value);
  }

  /** Puts back what stood at these paths, where they are still there. */
  restoreSysctls(wanted: (path: string) => boolean): void {
    for (const [path, value] of Object.entries(this.#noted.sysctls).filter(([path]) => wanted(path))) {
      if (readText(path) !== undefined) writeFileSync(path, value);
      delete this.#noted.sysctls[path];
    }
    this.#save();
  }

  remove(): void {
    rmSync(this.#file, { force: true });
  }

  #save(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#noted), { flush: true });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENODEV"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
