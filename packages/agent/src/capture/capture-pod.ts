import { setTimeout as sleep } from "node:timers/promises";
import { link } from "linux-ts";
import type { AdminClient } from "../admin/admin-client.ts";
import type { Io } from "../cli/output.ts";
import { CaptureBlocks, captureHeader, type Seen } from "./capture-blocks.ts";
import { type CaptureFile, openCaptureFile } from "./capture-file.ts";
import { Listening } from "./listening.ts";
import { MergedByTime } from "./merged-by-time.ts";
import { isAbandoned, podOf, type VantagePoint, vantagePoints } from "./vantage-points.ts";

export interface Capture {
  readonly io: Io;
  readonly client: Pick<AdminClient, "status">;
  /** `namespace/name`, or a uid. */
  readonly pod: string;
  /** `-`: standard output. */
  readonly path: string;
  /** Bytes of a packet that are kept. */
  readonly snapLength: number;
  /** What ends it beside the signal of `io`: whichever comes first. */
  readonly limits: CaptureLimits;
}

export interface CaptureLimits {
  /** Of the file. */
  readonly bytes: number;
  readonly seconds?: number;
  /** Of all places together. */
  readonly packets?: number;
}

const ROUND_MS = 50;
/** How often it is looked whether the namespaces are still somebody's. */
const LOOK_MS = 1_000;

/**
 * Writes what a pod sends and receives, as its own namespace, the node's and the proxies' see it, into one pcapng file, in order of time. Changes
 * nothing on the node. Tells on `io.err` when it has begun, how it ended and what was lost.
 *
 * Throws `ERR_POD_UNKNOWN`, `ERR_CAPTURE_NETNS`, `ERR_CAPTURE_FILE`, `EPERM` and what asking the agent does.
 */
export async function capturePod({ io, client, pod: wanted, path, snapLength, limits }: Capture): Promise<void> {
  const status = await client.status();
  const pod = podOf(status, wanted);
  using places = await vantagePoints(status, pod);
  using stack = new DisposableStack();
  const listening = places.points.map((point, rank) =>
    stack.use(new Listening(point, pod.addresses, snapLength, rank)),
  );
  // From here on: a capture that is interrupted is a whole file.
  const { signal } = io;
  await using file = await openCaptureFile(path, io.out);
  const subject = `${pod.namespace}/${pod.name} (${pod.addresses.join(", ")})`;
  const seenFrom = places.points.map(({ role, of }) => (role === "node" ? of : `${role} ${of}`)).join(", ");
  await io.err.write(`capturing ${subject}, as seen by ${seenFrom}\n`);
  const written = new Written(file, limits, new CaptureBlocks(snapLength, interfaceName));
  await written.begin(captureHeader(`packets of ${subject} on this node`));
  const end = await listenUntilEnd(listening, written, signal, limits);
  stack.dispose();
  for (const { point, lost } of listening) {
    if (lost === 0) continue;
    await written.drops(point, lost);
    await io.err.write(`${lost} packets were lost at ${point.of}: they came faster than they were written\n`);
  }
  await io.err.write(`${written.packets} packets, ${written.bytes} bytes in ${file.name}: ${end}\n`);
}

/** Returns why it ended. */
async function listenUntilEnd(
  listening: readonly Listening[],
  written: Written,
  signal: AbortSignal,
  { seconds = Number.POSITIVE_INFINITY }: CaptureLimits,
): Promise<string> {
  const began = performance.now();
  const merged = new MergedByTime<Seen>();
  const left = new Set(listening);
  let looked = began;
  for (;;) {
    await sleep(ROUND_MS, undefined, { signal }).catch(() => undefined);
    const now = performance.now();
    const full = await written.add(merged.add([...left].flatMap((place) => place.read())));
    if (full !== undefined) return full;
    let end: string | undefined;
    if (signal.aborted) end = "interrupted";
    else if (now - began >= seconds * 1_000) end = `${seconds} seconds are over`;
    else if (now - looked >= LOOK_MS) {
      looked = now;
      end = forgetAbandoned(left);
    }
    if (end !== undefined) return (await written.add(merged.finish())) ?? end;
  }
}

/** A socket would keep alive what nobody else needs any more. Returns why the capture ends, if the pod is gone. */
function forgetAbandoned(left: Set<Listening>): string | undefined {
  for (const place of left) {
    if (!isAbandoned(place.point)) continue;
    if (place.point.role === "pod") return "the pod is gone";
    left.delete(place);
    place[Symbol.dispose]();
  }
  return undefined;
}

function interfaceName({ namespace: { fd } }: VantagePoint, ifindex: number): string {
  return link(fd, ifindex)?.name ?? `${ifindex} (gone)`;
}

/** What is in the file by now, and whether more may go there. */
class Written {
  packets = 0;
  bytes = 0;
  readonly #file: CaptureFile;
  readonly #limits: CaptureLimits;
  readonly #blocks: CaptureBlocks;

  constructor(file: CaptureFile, limits: CaptureLimits, blocks: CaptureBlocks) {
    this.#file = file;
    this.#limits = limits;
    this.#blocks = blocks;
  }

  async begin(header: Buffer): Promise<void> {
    await this.#write([header]);
  }

  /** Returns which limit it came to, if it did. */
  async add(seen: readonly Seen[]): Promise<string | undefined> {
    const { bytes: most, packets: mostPackets = Number.POSITIVE_INFINITY } = this.#limits;
    const blocks: Buffer[] = [];
    let end: string | undefined;
    let size = this.bytes;
    for (const packet of seen) {
      const block = this.#blocks.packet(packet);
      if (size + block.length > most) {
        end = "the next packet would make it larger than it may be";
        break;
      }
      blocks.push(block);
      size += block.length;
      this.packets += 1;
      if (this.packets >= mostPackets) {
        end = "that is as many as it may have";
        break;
      }
    }
    await this.#write(blocks);
    return end;
  }

  async drops(point: VantagePoint, count: number): Promise<void> {
    await this.#write([this.#blocks.drops(point, count, BigInt(Date.now()) * 1_000_000n)]);
  }

  async #write(blocks: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat(blocks);
    if (bytes.length === 0) return;
    await this.#file.write(bytes);
    this.bytes += bytes.length;
  }
}
