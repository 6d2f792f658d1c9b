import { CommandError } from "./commands/command-error.ts";
import { ipBatch } from "./commands/ip.ts";
import type { tunnelChoices } from "./config.ts";
import { IptablesError } from "./errors.ts";
import type { TunnelKind } from "./node-context.ts";
import { openTrialNetns } from "./trial-netns.ts";

/** In the order in which `auto` prefers them. */
const KINDS: readonly TunnelKind[] = ["geneve", "vxlan"];

/**
 * The tunnel that first packets take: the one that is configured, or the first that this kernel has, found by making one in a network
 * namespace of its own.
 *
 * Throws `ERR_NO_TUNNEL`.
 */
export async function chooseTunnel(choice: (typeof tunnelChoices)[number], signal?: AbortSignal): Promise<TunnelKind> {
  using trial = await openTrialNetns();
  const failures: string[] = [];
  for (const kind of choice === "auto" ? KINDS : [choice]) {
    try {
      const line = `link add trial type ${kind} id 1 remote 192.0.2.1 dstport 6081`;
      await ipBatch(4, line, { netns: trial.fd, signal });
      return kind;
    } catch (error) {
      if (!(error instanceof CommandError) || error.code !== "ERR_COMMAND_FAILED") throw error;
      failures.push(`${kind}: ${error.stderr.trim().split("\n")[0]}`);
    }
  }
  throw new IptablesError(
    "ERR_NO_TUNNEL",
    `the kernel makes no tunnel (${failures.join("; ")}). Load or build the module geneve or vxlan, or use redirectMode ebpf`,
  );
}
