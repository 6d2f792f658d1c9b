import { errorCode, errorMessage } from "@millrace/core/internal";
import { HostError } from "@millrace/host";

/**
 * Everything this backend refuses or fails at. Codes are stable: people search for them, and the core decides by them. Each message
 * says what happened, where, and what to do next.
 */
export const ERRORS = {
  ERR_BPFFS_MISSING: "there is no BPF file system at the place the configuration names",
  ERR_BPFFS_READ_ONLY: "the BPF file system is mounted read-only",
  ERR_NOT_PERMITTED: "the kernel refused a bpf(2), netlink or setns(2) call for want of a capability",
  ERR_BPF_UNSUPPORTED:
    "this kernel has no bpf(2), or lacks a program type or helper that the backend cannot do without",
  ERR_OBJECT_MISSING: "a compiled BPF object is not where the package keeps it",
  ERR_OBJECT_REJECTED: "the kernel's verifier refused a program",
  ERR_LAYOUT_MISMATCH:
    "a pinned map is not what this layout version says, or another version's maps cannot be carried over",
  ERR_INTERFACE_GONE: "the pod's interface or network namespace is not there any more, or is another one now",
  ERR_HOST_NETWORK_PROXY: "the proxy lives in the node's own network namespace, so nothing can be redirected into it",
  ERR_INTERFACE_IN_USE: "another workload is enrolled on the interface",
  ERR_ADDRESS_IN_USE: "another workload holds the address",
  ERR_MAP_FULL: "a BPF map has no room left",
  ERR_PROXY_SLOTS_FULL: "every proxy slot is taken by an active or draining proxy",
  ERR_FOREIGN_OBJECT: "an object of somebody else stands exactly where ours would have to be",
  ERR_ATTACH_UNSUPPORTED: "the kernel lacks the configured way to attach programs",
  ERR_NFT_MISSING: "nft(8), which leads members' DNS to the proxy, is not installed",
  ERR_NFT_FAILED: "nft(8) refused the rules that lead members' DNS to the proxy",
  ERR_ACCELERATION_UNSUPPORTED: "this node cannot have the acceleration that is configured",
  ERR_EVENTS_UNAVAILABLE: "there is no eBPF redirection on this node whose events could be read",
  ERR_EVENTS_IN_USE: "another process reads the events of the data path",
  ERR_INVALID_UID: "a workload uid cannot be used as a file name",
  ERR_CLOSED: "the redirection was closed",
  ERR_KERNEL: "the kernel refused an operation for a reason of its own",
} as const;

export type EbpfErrorCode = keyof typeof ERRORS;

export class EbpfError extends Error {
  override readonly name = "EbpfError";
  readonly code: EbpfErrorCode;

  constructor(code: EbpfErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Gives an error of the kernel this backend's code and says what was being done. Errors that already carry one of our codes pass
 * unchanged, so the innermost, most exact message wins.
 */
export function explainFailure(doing: string, error: unknown): EbpfError | HostError {
  if (error instanceof EbpfError || error instanceof HostError) return error;
  const detail = `${doing}: ${errorMessage(error)}`;
  switch (errorCode(error)) {
    case "EPERM":
      return new EbpfError(
        "ERR_NOT_PERMITTED",
        `${detail}. The agent needs CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN (setns, bpffs): check the container's securityContext, ` +
          "the runtime's seccomp profile and the kernel's lockdown mode",
        { cause: error },
      );
    case "ENOSYS":
      return new EbpfError(
        "ERR_BPF_UNSUPPORTED",
        `${detail}. This kernel was built without bpf(2) (CONFIG_BPF_SYSCALL): use redirectMode iptables`,
        { cause: error },
      );
    case "EROFS":
      return new EbpfError(
        "ERR_BPFFS_READ_ONLY",
        `${detail}. Remount it with: mount -o remount,rw /sys/fs/bpf, and mount it read-write into the agent's container`,
        { cause: error },
      );
    case "ENODEV":
      return new EbpfError("ERR_INTERFACE_GONE", `${detail}. The pod is most likely being deleted`, { cause: error });
    default:
      return new EbpfError("ERR_KERNEL", detail, { cause: error });
  }
}

/** Runs `work` and puts what fails in it through {@link explainFailure}. */
export function attempt<T>(doing: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw explainFailure(doing, error);
  }
}
