import { errorMessage } from "@millrace/core/internal";
import { NftablesMonitor, RtnetlinkMonitor } from "linux-ts";
import { Observable } from "rxjs";
import type { WatcherLog } from "../log.ts";
import { type NodeNetns, openNodeNetns } from "../netns/node-view.ts";
import { type Marks, ofNftables, ofRtnetlink } from "./ours.ts";

export interface KernelChangesOptions extends NodeNetns {
  readonly marks: Marks;
  readonly log: WatcherLog;
}

/** Others' changes fill it as well: a firewall that is written anew tells of every rule. A loss costs one reading. */
const RECEIVE_BUFFER_BYTES = 1 << 20;

/**
 * Tells, a few words each, that something of ours has changed in the node's network namespace, or in another one that the node has a link into: filters, links,
 * routes, rules and what nftables has. By whom is not told, so we ourselves are heard too. The kernel tells nothing of tcx, maps, sets of ipset, legacy
 * iptables and sysctls. It only says when to look: what cannot be heard is said once in the log, and is no failure.
 *
 * Listens while it is subscribed to.
 */
export function kernelChanges(options: KernelChangesOptions): Observable<string> {
  return new Observable((subscriber) => {
    const { marks, log } = options;
    using netns = openNodeNetns(options);
    const monitors = new DisposableStack();
    const listen = (what: string, open: () => Disposable | undefined) => {
      try {
        const monitor = open();
        if (monitor === undefined) log.info({ what }, "the kernel tells of no such changes: the timer finds them");
        else monitors.use(monitor);
      } catch (error) {
        log.warn({ what, error: errorMessage(error) }, "changes cannot be listened to: the timer finds them");
      }
    };
    const handed =
      <Event>(describe: (event: Event, marks: Marks) => string | undefined) =>
      (events: readonly Event[]) => {
        for (const event of events) {
          const what = describe(event, marks);
          if (what !== undefined) subscriber.next(what);
        }
      };
    const common = { netns: netns.fd, namespaces: "known", receiveBufferBytes: RECEIVE_BUFFER_BYTES } as const;
    listen("rtnetlink", () =>
      RtnetlinkMonitor.open({
        ...common,
        groups: ["link", "tc", "route", "rule"],
        onEvents: handed(ofRtnetlink),
        onOverrun: () => subscriber.next("changes of links, filters, routes or rules were lost"),
      }),
    );
    listen("nftables", () =>
      NftablesMonitor.open({
        ...common,
        onEvents: handed(ofNftables),
        onOverrun: () => subscriber.next("changes of nftables were lost"),
      }),
    );
    return () => monitors.dispose();
  });
}
