import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { errorCode } from "@millrace/core/internal";
import { DIES_WITH_US } from "@millrace/host";
import { EbpfError } from "./errors.ts";

/** Far longer than a ruleset of a few lines takes on a machine that is busy. */
const DEADLINE_MS = 20_000;

/** Where nsenter(1) finds the namespace: the first descriptor behind its standard streams. */
const NETNS = "/proc/self/fd/3";

/** What setpriv(1) and nsenter(1) exit with when the program is not there. */
const NOT_FOUND = 127;

/**
 * Runs nft(8), in a network namespace if one is given, and resolves with what it printed.
 *
 * Rejects with `ERR_NFT_MISSING` when it is not installed, `ERR_NFT_FAILED` with what it said.
 */
export async function nft(args: readonly string[], { netns, input }: { netns?: number; input?: string } = {}) {
  const command = ["nft", ...args];
  const words = [...(netns === undefined ? [] : ["nsenter", `--net=${NETNS}`]), ...command];
  // What is given rules changes something.
  const [file = "nft", ...rest] = input === undefined ? words : [...DIES_WITH_US, ...words];
  const child = spawn(file, rest, {
    stdio: ["pipe", "pipe", "pipe", ...(netns === undefined ? [] : [netns])],
    env: { ...process.env, LC_ALL: "C" },
    timeout: DEADLINE_MS,
    killSignal: "SIGKILL",
  });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new EbpfError("ERR_NFT_FAILED", "nft was started without standard streams");
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal ?? "nothing"));
  });
  // What it left unread it says by its exit code.
  stdin.once("error", () => {});
  stdin.end(input);
  try {
    const [code, out, err] = await Promise.all([ended, text(stdout), text(stderr)]);
    if (code === 0) return out;
    if (code === NOT_FOUND) throw missing();
    throw new EbpfError("ERR_NFT_FAILED", `${command.join(" ")} ended with ${code}: ${err.trim() || "no word"}`);
  } catch (error) {
    if (errorCode(error) === "ENOENT") throw missing(error);
    throw error;
  }
}

function missing(cause?: unknown): EbpfError {
  return new EbpfError(
    "ERR_NFT_MISSING",
    "nft is not installed: members' DNS cannot be led to the proxy. Install nftables, or set dnsCapture to false",
    { cause },
  );
}
