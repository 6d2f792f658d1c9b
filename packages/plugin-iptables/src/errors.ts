import { errorCode, errorMessage } from "@millrace/core/internal";
import { HostError } from "@millrace/host";

/**
 * Everything this backend refuses or fails at. Codes are stable: people search for them, and the core decides by them. Each message
 * says what happened, where, and what to do next.
 */
export const ERRORS = {
  ERR_COMMAND_MISSING: "a program the backend runs is not installed",
  ERR_COMMAND_FAILED: "a program the backend ran refused what it was told",
  ERR_COMMAND_TIMEOUT: "a program the backend ran did not end in time",
  ERR_ABORTED: "a program was stopped because the agent stops",
  ERR_NOT_PERMITTED: "the kernel refused a program for want of a capability",
  ERR_XTABLES_LOCKED: "another program held the lock on the iptables rules for too long",
  ERR_OUTPUT_UNREADABLE: "a program printed something other than its documented format",
  ERR_NO_FLAVOUR: "neither flavour of iptables, nft or legacy, works on this host",
  ERR_NO_TUNNEL: "the kernel has neither of the tunnels, Geneve and VXLAN",
  ERR_NO_PORT: "no UDP port is free for the tunnel",
  ERR_CLASH: "somebody else uses a mark, priority, table, name or port that the configuration gives to this backend",
  ERR_INTERFACE_GONE: "the pod's interface or network namespace is not there any more, or is another one now",
  ERR_HOST_NETWORK_PROXY: "the proxy lives in the node's own network namespace, so nothing can be redirected into it",
  ERR_INTERFACE_IN_USE: "another workload is enrolled on the interface",
  ERR_ADDRESS_IN_USE: "another workload holds the address",
  ERR_BRIDGE: "the pod is a port of a bridge, and what it exchanges with other pods there could not be redirected",
  ERR_PROXY_SLOTS_FULL: "every proxy slot is taken by an active or draining proxy",
  ERR_CLOSED: "the redirection was closed",
  ERR_KERNEL: "the kernel refused an operation for a reason of its own",
} as const;

export type IptablesErrorCode = keyof typeof ERRORS;

export class IptablesError extends Error {
  override readonly name: string = "IptablesError";
  readonly code: IptablesErrorCode;

  constructor(code: IptablesErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Gives an error of the kernel this backend's code and says what was being done. Errors that already carry a code of ours, of the
 * programs' or of the host's pass unchanged, so the innermost, most exact message wins.
 */
export function explainFailure(doing: string, error: unknown): Error {
  if (error instanceof IptablesError || error instanceof HostError) return error;
  const detail = `${doing}: ${errorMessage(error)}`;
  switch (errorCode(error)) {
    case "EPERM":
      return new IptablesError(
        "ERR_NOT_PERMITTED",
        `${detail}. The agent needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN (setns): check its securityContext`,
        { cause: error },
      );
    case "ENODEV":
      return new IptablesError("ERR_INTERFACE_GONE", `${detail}. The pod is most likely being deleted`, {
        cause: error,
      });
    default:
      return new IptablesError("ERR_KERNEL", detail, { cause: error });
  }
}
