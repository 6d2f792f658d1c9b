import { canonicalJson, type EventInput, errorMessage, inputs } from "@millrace/core/internal";
import { addresses, links, type Netns, type RtEvent, RtnetlinkMonitor } from "linux-ts";
import type { WatcherLog } from "../log.ts";
import { type NodeNetns, openNodeNetns } from "../netns/node-view.ts";
import { RefreshLoop } from "../refresh-loop.ts";
import type { Sink, Watcher } from "../watcher.ts";
import { HostAddresses } from "./host-addresses.ts";
import { VethLinks } from "./veth-links.ts";

export interface LinksOptions extends NodeNetns {
  readonly log: WatcherLog;
  /** How long changes of addresses are gathered into one event. Default 50 ms: interfaces get theirs one by one. */
  readonly settleMs?: number;
  /** Least time between two such events, which name all addresses: every pod that starts may bring one. Default 250 ms. */
  readonly pauseMs?: number;
}

/**
 * The kernel's links and addresses: `link.changed` for each veth end that comes to or leaves the node's namespace, and the whole set
 * of the node's addresses as `host.addresses` when it differs from the last. Begins with what is there.
 */
export function linksWatcher(options: LinksOptions): Watcher {
  return {
    name: "links",
    async start(sink: Sink): Promise<AsyncDisposable> {
      await using starting = new AsyncDisposableStack();
      const watch = starting.use(new KernelLinks(starting.use(openNodeNetns(options)), options, sink));
      // Listening begins before the list, so that nothing falls between; what is told twice changes nothing.
      starting.use(watch.listen());
      watch.list();
      return starting.move();
    },
  };
}

class KernelLinks implements AsyncDisposable {
  readonly #netns: Netns;
  readonly #options: LinksOptions;
  readonly #sink: Sink;
  readonly #veths = new VethLinks();
  readonly #loop: RefreshLoop;
  readonly #addresses = new HostAddresses();
  #told: string | undefined;
  #toldAt = 0;
  #relist = false;

  constructor(netns: Netns, options: LinksOptions, sink: Sink) {
    this.#netns = netns;
    this.#options = options;
    this.#sink = sink;
    this.#loop = new RefreshLoop({
      refresh: async () => (this.#relist ? this.list() : this.#tellAddresses()),
      onError: (error) => options.log.error({ error: errorMessage(error) }, "cannot list links and addresses"),
      retryMs: 1000,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]();
  }

  listen(): RtnetlinkMonitor {
    return RtnetlinkMonitor.open({
      netns: this.#netns.fd,
      groups: ["link", "ipv4-address", "ipv6-address"],
      onEvents: (events) => this.#apply(events),
      onOverrun: () => {
        this.#options.log.warn({}, "rtnetlink lost events; links and addresses are listed anew");
        this.#relist = true;
        this.#loop.within(0);
      },
    });
  }

  list(): undefined {
    this.#tell(this.#veths.reconcile(links(this.#netns.fd)));
    this.#addresses.reset(addresses(this.#netns.fd));
    this.#relist = false;
    this.#tellAddresses();
  }

  #apply(events: readonly RtEvent[]): void {
    for (const event of events) {
      if (event.type === "address") this.#applyAddress(event);
      if (event.type === "link") this.#applyLink(event);
    }
  }

  #applyAddress({ change, address }: Extract<RtEvent, { type: "address" }>): void {
    if (change === "set") this.#addresses.set(address);
    else this.#addresses.remove(address);
    const { settleMs = 50, pauseMs = 250 } = this.#options;
    this.#loop.within(Math.max(settleMs, this.#toldAt + pauseMs - performance.now()));
  }

  #applyLink({ change, link }: Extract<RtEvent, { type: "link" }>): void {
    if (change === "removed") this.#addresses.removeLink(link);
    this.#tell(change === "set" ? this.#veths.add(link) : this.#veths.remove(link.index));
  }

  #tellAddresses(): undefined {
    const present = this.#addresses.list();
    const text = canonicalJson(present);
    if (text === this.#told) return;
    this.#told = text;
    this.#toldAt = performance.now();
    this.#sink(inputs.hostAddresses(present));
  }

  #tell(events: readonly EventInput[]): void {
    for (const event of events) this.#sink(event);
  }
}
