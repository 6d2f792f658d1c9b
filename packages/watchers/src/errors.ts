/** Every error a watcher raises, by stable code. The message of the error says what happened where, and what to do next. */
export const watcherErrors = {
  ERR_NETNS_GONE: "the network namespace cannot be opened: it ended, or the path is wrong",
  ERR_NETNS_IS_NODE: "the network namespace is the node's own: a pod with hostNetwork has no interface to redirect",
  ERR_INTERFACE_ABSENT: "the namespace holds no such interface, or none with the pod's addresses",
  ERR_NOT_VETH: "the pod's interface is not one end of a veth pair",
  ERR_PEER_ELSEWHERE: "the other end of the pod's veth pair is not in the node's network namespace",
  ERR_MANIFEST: "a manifest cannot be read as Kubernetes objects",
  ERR_SOCKET_PATH: "the path of the CNI socket cannot be used",
  ERR_SOCKET_IN_USE: "another process answers on the CNI socket",
  ERR_SOCKET: "the CNI socket cannot be opened",
  ERR_KUBERNETES_ACCESS: "nothing usable says where the API server is and who we are there",
  ERR_KUBERNETES_UNREACHABLE: "the API server cannot be reached, or the connection to it broke",
  ERR_KUBERNETES_SILENT: "the API server went silent on an open connection",
  ERR_KUBERNETES_QUIET: "a watch brought neither an event nor a bookmark for too long",
  ERR_KUBERNETES_STATUS: "the API server refused a request",
  ERR_KUBERNETES_ANSWER: "an answer of the API server cannot be understood",
} as const;

export type WatcherErrorCode = keyof typeof watcherErrors;

export class WatcherError extends Error {
  override readonly name = "WatcherError";
  readonly code: WatcherErrorCode;

  constructor(code: WatcherErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
