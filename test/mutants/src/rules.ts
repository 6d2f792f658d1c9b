import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";

/** Our one table of nftables, in each namespace that has one. */
const TABLE = "table inet mutant";

/** Rules by which a mutant gets in the way of packets. Where they are is written down, so that an uninstall by another process finds them. */
export class Rules {
  readonly #notes: string;

  /** `notes`: the file that names the network namespaces. */
  constructor(notes: string) {
    this.#notes = notes;
  }

  /** Makes these chains and sets the table of the namespace: by its path, or of this process's own. */
  async set(netns: string, content: string): Promise<void> {
    mkdirSync(dirname(this.#notes), { recursive: true });
    appendFileSync(this.#notes, `${netns}\n`);
    await nft(netns, `${TABLE} {}\ndelete ${TABLE}\n${TABLE} {\n${content}\n}\n`);
  }

  /** Takes the table away, if there is one and its namespace is still there. */
  async clear(netns: string): Promise<void> {
    if (existsSync(netns)) await nft(netns, `${TABLE} {}\ndelete ${TABLE}\n`);
  }

  async clearAll(): Promise<void> {
    if (!existsSync(this.#notes)) return;
    const noted = new Set(readFileSync(this.#notes, "utf8").split("\n").filter(Boolean));
    for (const netns of noted) await this.clear(netns);
    rmSync(this.#notes);
  }
}

/** The namespace of this process: the node's. */
export const OWN_NETNS = "/proc/self/ns/net";

/** Runs a command in a network namespace. Throws with what it wrote to its standard error. */
export async function inNetns(netns: string, command: readonly string[], input = ""): Promise<void> {
  const child = spawn("nsenter", [`--net=${netns}`, "--", ...command], { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  // It may end before it has read its input: how it ends tells more than the EPIPE.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`${command.join(" ")} in ${netns} ended with ${status}: ${said}\n${input}`);
}

const nft = (netns: string, script: string): Promise<void> => inNetns(netns, ["nft", "-f", "-"], script);
