import { HostError } from "./errors.ts";
import { type ProgramOptions, runProgram } from "./run-program.ts";

/** Where nft(8) works, and until when. */
export type NftPlace = Omit<ProgramOptions, "input">;

/**
 * Gives nft(8) these lines as one file, which is one transaction: the kernel takes all of it or nothing, and no packet meets half of it (nft(8), "-f"). No lines: nothing is run.
 *
 * Rejects as {@link runProgram}; `ERR_PROGRAM_FAILED` has the line that was refused.
 */
export async function nftTransaction(lines: readonly string[], place: NftPlace = {}): Promise<void> {
  if (lines.length > 0) await runProgram(["nft", "-f", "-"], { ...place, input: `${lines.join("\n")}\n` });
}

/**
 * Tries these lines in a network namespace that goes with the program that tries them: for probes, which change nothing. It has a loopback interface and nothing else. Resolves with
 * why this host does not take them, for people; with `undefined` where it does. Needs CAP_SYS_ADMIN.
 *
 * Rejects with the signal's reason when that is aborted.
 */
export async function nftRefusal(lines: readonly string[], signal?: AbortSignal): Promise<string | undefined> {
  try {
    const options = { input: `${lines.join("\n")}\n`, ...(signal && { signal }) };
    await runProgram(["unshare", "--net", "nft", "-f", "-"], options);
    return undefined;
  } catch (error) {
    if (error instanceof HostError) return error.message;
    throw error;
  }
}
