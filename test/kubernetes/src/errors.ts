/** What can go wrong, by stable code. */
export type ClusterErrorCode =
  /** A program of the control plane is not there: the message says what to do. */
  | "ERR_CONTROL_PLANE_MISSING"
  /** Something was asked of a cluster before it was started. */
  | "ERR_NOT_STARTED"
  /** A `millrace` command failed. */
  | "ERR_AGENT_COMMAND"
  /** The API server refused a request, or answered with something that is not Kubernetes'. */
  | "ERR_API_REQUEST";

export class ClusterError extends Error {
  readonly code: ClusterErrorCode;
  /** HTTP status of the answer, where there was one. */
  readonly status: number | undefined;

  constructor(code: ClusterErrorCode, message: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super(message, options);
    this.name = "ClusterError";
    this.code = code;
    this.status = options.status;
  }
}
