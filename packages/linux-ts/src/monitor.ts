import { type Address, decodeAddress, RTM_DELADDR, RTM_NEWADDR } from "./addresses.ts";
import { calling, errnoName, LinuxError } from "./errors.ts";
import { decodeLink, type Link, RTM_DELLINK, RTM_NEWLINK } from "./links.ts";
import { type Message, splitMessages } from "./messages.ts";
import { type NativeMonitor, native } from "./native.ts";
import type { NetnsFd } from "./netns.ts";
import { NETLINK_ROUTE } from "./request.ts";
import { decodeRoute, type Route, RTM_DELROUTE, RTM_NEWROUTE } from "./routes.ts";
import { decodeRule, type Rule } from "./rule-codec.ts";
import { RTM_DELRULE, RTM_NEWRULE } from "./rules.ts";

/** RTNLGRP_* (include/uapi/linux/rtnetlink.h) of each group's name. */
const groupNumbers = {
  link: [1],
  "ipv4-address": [5],
  "ipv6-address": [9],
  route: [7, 11],
  rule: [8, 19],
} as const;
export type MonitorGroup = keyof typeof groupNumbers;

/** `set`: the object exists and is as told, whether new or changed (the kernel does not say which). `removed`: as it last was. */
export type RtChange = "set" | "removed";

export type RtEvent =
  | { type: "link"; change: RtChange; link: Link }
  | { type: "address"; change: RtChange; address: Address }
  | { type: "route"; change: RtChange; route: Route }
  | { type: "rule"; change: RtChange; rule: Rule };

export interface RtnetlinkMonitorOptions {
  netns?: NetnsFd;
  groups: readonly MonitorGroup[];
  /** Bytes of kernel memory for what was not read yet (SO_RCVBUFFORCE, else SO_RCVBUF); default net.core.rmem_default. */
  receiveBufferBytes?: number;
  /** In the order in which things happened; never empty. Whatever this throws is an uncaught exception. */
  onEvents(events: RtEvent[]): void;
  /** Events were lost (ENOBUFS): list everything anew. No event from before the loss is delivered after this call. */
  onOverrun(): void;
}

/**
 * Changes of links, addresses, routes and rules in one network namespace, as they happen. Open first, list afterwards, then apply
 * events over the list: so nothing falls between. Keeps the event loop alive until closed, but for unref(). What belongs to a namespace
 * that is deleted meanwhile falls silent.
 */
export class RtnetlinkMonitor implements Disposable {
  readonly #native: NativeMonitor;

  private constructor(options: RtnetlinkMonitorOptions) {
    const groups = Uint8Array.from(options.groups.flatMap((group) => [...groupNumbers[group]]));
    const { netns = -1, receiveBufferBytes = 0, onEvents, onOverrun } = options;
    this.#native = calling("opening the rtnetlink monitor", () =>
      native.monitorOpen(netns, NETLINK_ROUTE, groups, receiveBufferBytes, (batch, errno) => {
        if (errno !== 0) {
          overrunOrThrow(errno, onOverrun);
          return;
        }
        const events = [...splitMessages(batch)].map(decodeEvent).filter((event) => event !== undefined);
        if (events.length > 0) onEvents(events);
      }),
    );
  }

  /** Throws `EPERM` and the other errors of setns(2) and socket(2). */
  static open(options: RtnetlinkMonitorOptions): RtnetlinkMonitor {
    return new RtnetlinkMonitor(options);
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

function overrunOrThrow(errno: number, onOverrun: () => void): void {
  const code = errnoName(errno);
  if (code === "ENOBUFS") {
    onOverrun();
    return;
  }
  // Not known to happen. The monitor has stopped, which must not go unnoticed.
  throw new LinuxError(code, `the rtnetlink monitor stopped: recvmsg failed with ${code}`, {
    errno,
    syscall: "recvmsg",
  });
}

/** Undefined for kinds and families of messages that this package has no type for. */
export function decodeEvent({ type, payload }: Message): RtEvent | undefined {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const link = decodeLink(payload);
      return link && { type: "link", change: type === RTM_NEWLINK ? "set" : "removed", link };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeAddress(payload);
      return address && { type: "address", change: type === RTM_NEWADDR ? "set" : "removed", address };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const route = decodeRoute(payload);
      return route && { type: "route", change: type === RTM_NEWROUTE ? "set" : "removed", route };
    }
    case RTM_NEWRULE:
    case RTM_DELRULE: {
      const rule = decodeRule(payload);
      return rule && { type: "rule", change: type === RTM_NEWRULE ? "set" : "removed", rule };
    }
    default:
      return undefined;
  }
}
