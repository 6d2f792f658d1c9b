import { readFileSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { AmbientConfig } from "@millrace/core/internal";
import { z } from "zod";
import { AgentError } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";
import { find } from "./stale-socket.ts";

const MODE = 0o644;

/**
 * The text of the file in which the node says to others whether traffic has a proxy to go to, and which backend takes it there:
 * the file and the words of istio-cni's ambient mode (1.18 to 1.20). The order of the keys is part of the format: readers of
 * the log line match on it.
 */
export function ambientConfigText(config: AmbientConfig): string {
  return JSON.stringify({ ztunnelReady: config.ztunnelReady, redirectMode: config.redirectMode });
}

/** Exactly what the agent writes, and nothing beside it. */
const written = z.strictObject({ ztunnelReady: z.boolean(), redirectMode: z.string() });
/** The names of backends are short: what is longer was not written by the agent, and is not read. */
const MAX_BYTES = 4096;

/** Whose the file at the ambient config's place is. What neither the agent nor istio-cni wrote is somebody else's, unless it is empty. */
export function ambientConfigAt(path: string): "nothing" | "ours" | "foreign" {
  const found = find(path);
  if (found.kind === "nothing" || (found.kind === "file" && found.size === 0)) return "nothing";
  if (found.kind !== "file" || found.size > MAX_BYTES) return "foreign";
  try {
    return written.safeParse(JSON.parse(readFileSync(path, "utf8"))).success ? "ours" : "foreign";
  } catch (error) {
    if (error instanceof SyntaxError) return "foreign"; // no JSON: the agent writes nothing else
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Replaces a file in one step: a reader sees the old text or the new, whole, also after a power cut. */
export async function writeFileAtomically(path: string, text: string, mode: number): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true });
  const temporary = join(directory, `.${basename(path)}.${process.pid}.tmp`);
  let file: FileHandle | undefined;
  try {
    file = await open(temporary, "w", mode);
    await file.chmod(mode); // the umask must not take away what readers need
    await file.writeFile(text);
    await file.sync();
    await file.close();
    file = undefined;
    await rename(temporary, path);
  } catch (error) {
    await file?.close();
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(directory);
}

/**
 * Keeps the ambient config file in step with what is told to it. Writes only changes, one at a time, and always the newest:
 * what was asked for while a write was under way is written after it, once. A failed write is logged and made good by the next
 * `set`, changed or not: readers only log this file, so it must never stop redirection.
 */
export class AmbientConfigFile {
  readonly #path: string;
  readonly #log: Logger;
  #wanted: string | undefined;
  #written: string | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  /** Resolves once the file holds this, or something newer. */
  set(config: AmbientConfig): Promise<void> {
    this.#wanted = ambientConfigText(config);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** Resolves once nothing is being written. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#wanted !== undefined && this.#wanted !== this.#written) {
      const text = this.#wanted;
      try {
        if (ambientConfigAt(this.#path) === "foreign") {
          throw new AgentError("ERR_AMBIENT_CONFIG_PATH", `${this.#path} is there and is not as the agent writes it`);
        }
        await writeFileAtomically(this.#path, text, MODE);
        this.#written = text;
        // The text inside the message is the form that existing log matchers know. Said when it is true for whoever reads the file.
        this.#log.info(`Writing ambient config: ${text}`);
      } catch (error) {
        this.#log.error({ err: error, path: this.#path }, "ambient config not written");
        if (this.#wanted === text) return;
      }
    }
  }
}
