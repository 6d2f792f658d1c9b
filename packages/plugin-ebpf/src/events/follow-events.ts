import { existsSync } from "node:fs";
import { join } from "node:path";
import { BpfMap, RingBuffer } from "libbpf-ts";
import { tryLockDirectory } from "linux-ts";
import { EbpfError } from "../errors.ts";
import { decodeU64, EVENTS_BEGUN, EVENTS_OF_SOME, EVENTS_STOPPED, eventsWantedCodec, u32Codec } from "../layout.ts";
import { Pins } from "../pins.ts";
import { AskedAddresses } from "./asked-addresses.ts";
import { type DataPathEvent, decodeEvent } from "./decode-event.ts";

export type { DataPathEvent } from "./decode-event.ts";

/** So long the programs go on to tell when the reader has died. */
const LEASE_MS = 5_000;
const RENEW_MS = 1_000;
const NS_PER_MS = 1_000_000n;

export interface FollowOptions {
  readonly bpffs: string;
  /** The name of our directory there: `pins` of the backend's configuration. */
  readonly pins: string;
  /** New connections too, and not only what was dropped or refused. */
  readonly connections: boolean;
  /**
   * Addresses of the workloads that are asked for, as they are now: what is neither from nor to one of them is not told.
   * Absent: everything is. Asked again every second, and not for long.
   */
  readonly addresses?: () => readonly string[];
  /** Ends it, in order. */
  readonly signal: AbortSignal;
}

/** What has been read at once, and how many events found no room in the kernel since the batch before. */
export interface EventBatch {
  readonly events: readonly DataPathEvent[];
  readonly lost: number;
  /** The programs told of nothing but what was asked for. */
  readonly isOfAsked: boolean;
}

/**
 * Makes the programs tell what becomes of packets, and hands it on until the signal. While `take` is at work nothing more is read:
 * the kernel keeps some thousands of events, and counts those that find no room.
 *
 * Throws `ERR_EVENTS_UNAVAILABLE`, `ERR_EVENTS_IN_USE`, and what `take` throws.
 */
export async function followEvents(options: FollowOptions, take: (batch: EventBatch) => Promise<void>): Promise<void> {
  const { maps } = new Pins(options.bpffs, options.pins);
  if (!existsSync(join(maps, "events"))) {
    throw new EbpfError(
      "ERR_EVENTS_UNAVAILABLE",
      `${maps} has no events: the agent does not redirect by eBPF on this node, or is of an earlier version; see millrace status`,
    );
  }
  using stack = new DisposableStack();
  // Of the directory itself, so that nothing is left in it.
  const lock = tryLockDirectory(maps);
  if (lock === undefined) {
    throw new EbpfError(
      "ERR_EVENTS_IN_USE",
      `another process reads the events (it has locked ${maps}): two would take them from each other; end that one first`,
    );
  }
  stack.use(lock);
  const map = (name: string) => stack.use(BpfMap.openPinned(join(maps, name)));
  // Programs of an earlier version know none: they tell everything.
  const { addresses } = options;
  const asked =
    addresses !== undefined && existsSync(join(maps, "events_of"))
      ? stack.use(new AskedAddresses({ asked: map("events_of"), members: map("members") }, addresses))
      : undefined;
  const [events, wanted, lostMap] = [map("events"), map("events_wanted"), map("events_lost")];
  const want = (kinds: number) => {
    if (kinds !== 0) asked?.renew();
    const until_ns = kinds === 0 ? 0n : process.hrtime.bigint() + BigInt(LEASE_MS) * NS_PER_MS;
    wanted.update(u32Codec.encode(0), eventsWantedCodec.encode({ until_ns, kinds }));
  };
  const countLost = () =>
    Number(lostMap.lookupPerCpu(u32Codec.encode(0)).reduce((sum, bytes) => sum + decodeU64(bytes), 0n));
  const kinds = EVENTS_STOPPED | (options.connections ? EVENTS_BEGUN : 0) | (asked ? EVENTS_OF_SOME : 0);

  let lostBefore = countLost();
  const ended = Promise.withResolvers<void>();
  const deliver = async (records: readonly Uint8Array[]) => {
    try {
      const lost = countLost();
      const events = records.flatMap((record) => decodeEvent(record) ?? []);
      await take({ events, lost: lost - lostBefore, isOfAsked: asked !== undefined });
      lostBefore = lost;
    } catch (error) {
      ended.reject(error);
    }
  };
  const ring = stack.use(RingBuffer.open(events, deliver));
  stack.defer(() => want(0));
  want(kinds);
  const renew = () => {
    try {
      want(kinds);
    } catch (error) {
      ended.reject(error);
    }
  };
  const renewing = setInterval(renew, RENEW_MS);
  stack.defer(() => clearInterval(renewing));
  const stop = () => ended.resolve();
  options.signal.addEventListener("abort", stop, { once: true });
  if (options.signal.aborted) stop();
  await ended.promise;
  ring.consume();
}
