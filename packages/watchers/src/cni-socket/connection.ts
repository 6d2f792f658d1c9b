import { once } from "node:events";
import type { Socket } from "node:net";
import {
  CNI_CODES,
  CNI_MAX_LINE,
  type CniReply,
  CoreError,
  errorMessage,
  formatCniReply,
  parseCniRequest,
} from "@millrace/core/internal";
import { peerCredentials } from "linux-ts";
import { handleRequest, type RequestContext } from "./handle-request.ts";
import { readLine } from "./read-line.ts";
import { refuse, refuseUndecodable, SOCKET_CODES } from "./replies.ts";

/** Only root may speak CNI: container runtimes run as root. */
const ROOT = 0;

/** How long a peer may take to fetch its reply, and to stop sending. */
const LINGER_MS = 1000;

export interface Answered {
  /** Undefined for a request that was not understood. */
  readonly command: string | undefined;
  readonly reply: CniReply;
}

/** Answers the one request of a connection. Undefined when the peer went away without having asked anything. */
export async function answer(
  socket: Socket,
  requestTimeoutMs: number,
  context: RequestContext,
): Promise<Answered | undefined> {
  const { uid, pid } = peerCredentials(socket);
  if (uid !== ROOT) {
    context.log.warn({ uid, pid }, "a process that is not root was refused on the CNI socket");
    return {
      command: undefined,
      reply: refuse(SOCKET_CODES.notPermitted, `only root may use this socket; you are uid ${uid}`),
    };
  }
  const read = await readLine(socket, CNI_MAX_LINE, requestTimeoutMs, context.signal);
  if (read.line === undefined) return unread(read.failure, requestTimeoutMs);

  let command: string | undefined;
  try {
    const request = parseCniRequest(read.line);
    command = request.command;
    return { command, reply: await handleRequest(request, context) };
  } catch (error) {
    if (error instanceof CoreError && error.code === "ERR_CNI_REQUEST_INVALID")
      return { command, reply: refuseUndecodable(error) };
    context.log.error({ command, error: errorMessage(error) }, "a CNI request failed in a way that was not foreseen");
    return { command, reply: refuse(CNI_CODES.internal, `the agent failed: ${errorMessage(error)}; see its log`) };
  }
}

function unread(failure: "too-long" | "timeout" | "closed", timeoutMs: number): Answered | undefined {
  if (failure === "too-long") {
    const message = `the request is longer than ${CNI_MAX_LINE} bytes, its line feed included`;
    return { command: undefined, reply: refuse(CNI_CODES.decodeFailure, message) };
  }
  if (failure === "timeout") {
    const message = `the request did not arrive within ${timeoutMs} ms; send one line of JSON and a line feed`;
    return { command: undefined, reply: refuse(CNI_CODES.ioFailure, message) };
  }
  return undefined;
}

/**
 * Sends the reply and closes. What the peer still sends is read and thrown away for a moment: closing a socket with unread data
 * resets it (net/unix/af_unix.c `unix_release_sock`), and a peer that is still writing would see that instead of its reply.
 */
export async function reply(socket: Socket, message: CniReply): Promise<void> {
  if (socket.destroyed) return;
  socket.end(formatCniReply(message));
  socket.resume();
  const signal = AbortSignal.timeout(LINGER_MS);
  try {
    await once(socket, "close", { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    socket.destroy();
  }
}
