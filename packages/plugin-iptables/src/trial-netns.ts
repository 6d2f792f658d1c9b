import { spawn } from "node:child_process";
import { once } from "node:events";
import { errorMessage } from "@millrace/core/internal";
import { type Netns, openNetns } from "linux-ts";
import { IptablesError } from "./errors.ts";

/**
 * A network namespace without a name, to try things in: what happens there changes nothing on the host, and it ends when the
 * descriptor is closed. Modules that the kernel loads for a trial stay loaded, as for any first use.
 *
 * Rejects with `ERR_NOT_PERMITTED`: unshare(2) needs CAP_SYS_ADMIN.
 */
export async function openTrialNetns(): Promise<Netns> {
  // It holds the namespace until the descriptor does: `echo` tells that it is in there, `read` ends with its standard input.
  const holder = spawn("unshare", ["--net", "sh", "-c", "echo; read wait"], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  try {
    const refusal = once(holder.stderr, "data").then(([text]) => new Error(String(text).trim()));
    const said = await Promise.race([once(holder.stdout, "data"), refusal, once(holder, "exit")]);
    if (said instanceof Error) throw said;
    return openNetns(`/proc/${holder.pid}/ns/net`);
  } catch (cause) {
    throw new IptablesError(
      "ERR_NOT_PERMITTED",
      `no network namespace could be made to try things in: ${errorMessage(cause)}. The agent needs CAP_SYS_ADMIN`,
      { cause },
    );
  } finally {
    if (holder.pid !== undefined && holder.exitCode === null && holder.signalCode === null) {
      const gone = once(holder, "exit");
      holder.kill("SIGKILL");
      await gone;
    }
  }
}
