import { calling, callingAsync, errnoName, LinuxError } from "./errors.ts";
import {
  type Message,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  splitMessages,
  verdictOf,
} from "./messages.ts";
import { native } from "./native.ts";
import { type NetnsFd, whereIs } from "./netns.ts";

/** include/uapi/linux/netlink.h. */
export const NETLINK_ROUTE = 0;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_NETFILTER = 12;

/** A dump that something changed under the kernel's hands is repeated this often, then given up. */
const dumpAttempts = 20;

export interface NetlinkRequest {
  netns: NetnsFd;
  protocol?: number;
  /** For errors: `adding the route …`. */
  doing: string;
  /** Message type and its name, for errors too. */
  type: number;
  name: string;
  /** NLM_F_CREATE and the like. */
  flags?: number;
  payload: Uint8Array;
}

/** Asks for one thing, or changes one: returns the answer's messages, for a change usually none. Throws the kernel's errno. */
export function request(spec: NetlinkRequest): Message[] {
  return exchange(spec, (spec.flags ?? 0) | NLM_F_ACK).messages;
}

/** {@link request} on a thread of libuv's pool: whoever waits for rtnetlink's lock there keeps nobody else waiting. */
export async function requestAsync(spec: NetlinkRequest): Promise<Message[]> {
  return (await exchangeAsync(spec, (spec.flags ?? 0) | NLM_F_ACK)).messages;
}

/**
 * Asks for all objects of a kind. A list that changed while the kernel wrote it may miss or repeat objects (NLM_F_DUMP_INTR,
 * Documentation/userspace-api/netlink/intro.rst): it is asked for again, and after 20 times the error is `EINTR`.
 */
export function dump(spec: NetlinkRequest): Message[] {
  const messages = untilConsistent(() => exchange(spec, (spec.flags ?? 0) | NLM_F_DUMP));
  if (messages !== undefined) return messages;
  throw neverConsistent(spec);
}

/** {@link dump} on a thread of libuv's pool, as {@link requestAsync}. */
export async function dumpAsync(spec: NetlinkRequest): Promise<Message[]> {
  for (let attempt = 0; attempt < dumpAttempts; attempt++) {
    const { messages, interrupted } = await exchangeAsync(spec, (spec.flags ?? 0) | NLM_F_DUMP);
    if (!interrupted) return messages;
  }
  throw neverConsistent(spec);
}

function neverConsistent({ doing, netns, name }: NetlinkRequest): LinuxError {
  const reason = `the list changed during each of ${dumpAttempts} readings; try again`;
  return new LinuxError("EINTR", `${doing}${whereIs(netns)}: ${reason}`, { errno: -4, syscall: `recvmsg ${name}` });
}

interface Reading {
  messages: Message[];
  interrupted: boolean;
}

/** The first reading that nothing came in between; undefined when there was none in 20. */
export function untilConsistent(read: () => Reading): Message[] | undefined {
  for (let attempt = 0; attempt < dumpAttempts; attempt++) {
    const { messages, interrupted } = read();
    if (!interrupted) return messages;
  }
  return undefined;
}

function exchange(spec: NetlinkRequest, flags: number): Reading {
  const answer = calling(
    () => `${spec.doing}${whereIs(spec.netns)}`,
    () => native.netlinkRequest(...argumentsOf(spec, flags)),
  );
  return readingOf(answer, spec);
}

async function exchangeAsync(spec: NetlinkRequest, flags: number): Promise<Reading> {
  const answer = await callingAsync(
    () => `${spec.doing}${whereIs(spec.netns)}`,
    () => native.netlinkRequestAsync(...argumentsOf(spec, flags)),
  );
  return readingOf(answer, spec);
}

function argumentsOf({ netns, protocol = NETLINK_ROUTE, type, payload }: NetlinkRequest, flags: number) {
  return [netns ?? -1, protocol, type, flags, payload] as const;
}

/** Throws the kernel's errno. */
function readingOf(answer: Uint8Array, spec: NetlinkRequest): Reading {
  const messages: Message[] = [];
  let interrupted = false;
  for (const message of splitMessages(answer)) {
    interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
    if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) throwVerdict(message, spec);
    else if (message.type !== NLMSG_NOOP) messages.push(message);
  }
  return { messages, interrupted };
}

function throwVerdict(message: Message, { doing, netns, name }: NetlinkRequest): void {
  const { errno, text } = verdictOf(message);
  if (errno === 0) return;
  const code = errnoName(errno);
  const reason = text === "" ? "" : ` (${text})`;
  const syscall = `recvmsg ${name}`;
  throw new LinuxError(code, `${doing}${whereIs(netns)}: ${syscall} failed with ${code}${reason}`, { errno, syscall });
}
