import { calling, errnoName, LinuxError } from "./errors.ts";
import { type Message, splitMessages } from "./messages.ts";
import { type NativeMonitor, native } from "./native.ts";
import type { NetnsFd } from "./netns.ts";

export interface MonitorOptions<Event> {
  netns?: NetnsFd;
  /**
   * `own`, the default: what happens in that namespace. `known`: also in every other one that has an id there, as the one of a veth's other end has
   * (ip-netns(8), `list-id`); which one it was is not told. The others are silent without CAP_NET_BROADCAST (netlink(7), NETLINK_LISTEN_ALL_NSID),
   * and end as ever: a monitor keeps only the namespace that it was opened in.
   */
  namespaces?: "own" | "known";
  /** Bytes of kernel memory for what was not read yet (SO_RCVBUFFORCE, else SO_RCVBUF); default net.core.rmem_default. */
  receiveBufferBytes?: number;
  /** In the order in which things happened; never empty. Whatever this throws is an uncaught exception. */
  onEvents(events: Event[]): void;
  /** Events were lost (ENOBUFS): list everything anew. No event from before the loss is delivered after this call. */
  onOverrun(): void;
}

/** What a kind of monitor listens to, and how it reads that. */
interface Source<Event> {
  /** For errors: `rtnetlink`. */
  readonly name: string;
  readonly protocol: number;
  /** Numbers of multicast groups. */
  readonly groups: readonly number[];
  /** Undefined for messages that are nobody's business. */
  decode(message: Message): Event | undefined;
}

/**
 * Multicast messages of a netlink protocol in one network namespace, as they come. Open first, list afterwards, then apply events over
 * the list: so nothing falls between. Keeps the event loop alive until closed, but for unref(). Its socket keeps the namespace, with what is
 * in it, also when that is deleted (`sk_alloc` in net/core/sock.c).
 */
export class NetlinkMonitor implements Disposable {
  readonly #native: NativeMonitor;

  private constructor(open: NativeMonitor) {
    this.#native = open;
  }

  /** Throws `EPERM` and the other errors of setns(2) and socket(2). */
  static open<Event>(
    { name, protocol, groups, decode }: Source<Event>,
    options: MonitorOptions<Event>,
  ): NetlinkMonitor {
    const { netns = -1, namespaces = "own", receiveBufferBytes = 0, onEvents, onOverrun } = options;
    const open = calling(`opening the ${name} monitor`, () =>
      native.monitorOpen(
        netns,
        protocol,
        Uint8Array.from(groups),
        receiveBufferBytes,
        namespaces === "known",
        (batch, errno) => {
          if (errno !== 0) {
            overrunOrThrow(name, errno, onOverrun);
            return;
          }
          const events = [...splitMessages(batch)].map(decode).filter((event) => event !== undefined);
          if (events.length > 0) onEvents(events);
        },
      ),
    );
    return new NetlinkMonitor(open);
  }

  ref(): this {
    native.monitorRef(this.#native, true);
    return this;
  }

  unref(): this {
    native.monitorRef(this.#native, false);
    return this;
  }

  /** No callback runs after this; doing it again does nothing. */
  [Symbol.dispose](): void {
    native.monitorClose(this.#native);
  }
}

function overrunOrThrow(name: string, errno: number, onOverrun: () => void): void {
  const code = errnoName(errno);
  if (code === "ENOBUFS") {
    onOverrun();
    return;
  }
  // Not known to happen. The monitor has stopped, which must not go unnoticed.
  throw new LinuxError(code, `the ${name} monitor stopped: recvmsg failed with ${code}`, { errno, syscall: "recvmsg" });
}
