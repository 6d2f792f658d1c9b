import type { Socket } from "node:net";
import { calling, LinuxError } from "./errors.ts";
import { native } from "./native.ts";

export interface PeerCredentials {
  /** In our pid namespace; 0 when the peer is not visible there. It may have ended since. */
  pid: number;
  /** In our user namespace; 65534 (the overflow id) when it has no mapping there. */
  uid: number;
  gid: number;
}

/**
 * Who connected to us over a UNIX socket, as the kernel noted it at connect(2) (SO_PEERCRED, unix(7)).
 *
 * Node has no public way to a socket's descriptor; `_handle.fd` is what its own child_process uses, and stays undefined rather than
 * wrong if it ever goes away. Throws `ERR_NO_DESCRIPTOR` for a socket that is closed or not connected yet, and `EAFNOSUPPORT` for one
 * that is no UNIX socket.
 */
export function peerCredentials(socket: Socket): PeerCredentials {
  const fd = descriptorOf(socket);
  if (fd === undefined) {
    throw new LinuxError("ERR_NO_DESCRIPTOR", "the socket is closed or not connected yet: ask in its connection event");
  }
  const [pid, uid, gid] = calling("asking for the peer's credentials", () => native.peerCredentials(fd));
  return { pid, uid, gid };
}

function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { _handle?: { fd?: unknown } | null };
  const fd = handle?.fd;
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}
