import { Generator } from "../fuzz/generator.ts";
import { fateOfReceived, tagged } from "../fuzz/offload.ts";
import { judge } from "../fuzz/oracle.ts";
import { Random } from "../fuzz/random.ts";
import { type Fate, ROW_IDS, type RowId, rowOf } from "../fuzz/rows.ts";
import { type Pod, until } from "./box.ts";
import type { Objects } from "./datapath.ts";
import { concat, u16 } from "./frames.ts";
import type { ProgramName } from "./layout.ts";
import { Mesh } from "./mesh.ts";
import { type MemoryShape, sendFrames } from "./raw-frames.ts";

/** Random frames over real devices: what BPF_PROG_TEST_RUN cannot make. The oracle is the fuzzer's. */

/** Of a veth, with its Ethernet header. */
const LONGEST_FRAME = 1514;
/** For each frame that is wanted, before a row counts as one that the generator does not make. */
const TRIES = 40;

export interface CorpusFrame {
  readonly bytes: Uint8Array;
  readonly row: RowId;
  readonly fate: Fate;
}

/** So many frames of each row, the same for the same seed. */
export function framesOf(
  seed: number,
  each: number,
  fateOf: (frame: Uint8Array) => { row: RowId; fate: Fate },
): CorpusFrame[] {
  const random = new Random(seed);
  const generator = new Generator();
  const missing = new Map<RowId, number>(ROW_IDS.map((row) => [row, each]));
  const frames: CorpusFrame[] = [];
  for (let tries = 0; frames.length < each * ROW_IDS.length; tries++) {
    if (tries > TRIES * each * ROW_IDS.length) throw new Error(`no frames of ${[...missing.keys()].join(", ")}`);
    const bytes = generator.next(random);
    if (bytes.length > LONGEST_FRAME) continue;
    const { row, fate } = fateOf(bytes);
    const left = missing.get(row);
    if (!left) continue;
    if (left === 1) missing.delete(row);
    else missing.set(row, left - 1);
    frames.push({ bytes: Uint8Array.from(bytes), row, fate });
  }
  return frames;
}

export const fateAsItIs = (frame: Uint8Array) => {
  const { row } = judge(frame);
  return { row, fate: rowOf(row).fate };
};
export { fateOfReceived };

/** Each frame in a tag of VLAN 5, for a device that takes it off. */
export function inVlan(frames: readonly CorpusFrame[], type: number): CorpusFrame[] {
  const VLAN = 5;
  return frames
    .filter(({ bytes, row }) => bytes.length + 4 <= LONGEST_FRAME && !row.startsWith("tag"))
    .map(({ bytes, row }) => {
      const frame = tagged(bytes, type, VLAN);
      return { bytes: frame, row, fate: fateOfReceived(frame).fate };
    });
}

/** What stood against the table. `escaped`: frames that had to be captured or dropped, and were not. */
export interface Found {
  readonly escaped: number;
  readonly captured: number;
  readonly dropped: number;
}

export const NOTHING_FOUND: Found = { escaped: 0, captured: 0, dropped: 0 };

/** A node with a member and an active proxy. Frames are random, so nobody needs to answer. */
export class CorpusNode implements AsyncDisposable {
  readonly mesh: Mesh;
  readonly member: Pod;
  readonly other: Pod;

  constructor(objects?: Objects) {
    this.mesh = objects ? new Mesh({ objects }) : new Mesh();
    this.mesh.addProxy("z", 0);
    this.member = this.mesh.addMember("m");
    this.other = this.mesh.addPod("p");
    this.mesh.datapath.settings({ active: 1 });
  }

  /**
   * Sends the frames of each row and compares what the program counted. Only `passed` is not exact, since other packets pass too: as many as were
   * sent have to come at least.
   */
  async send(
    program: ProgramName,
    device: { netns: Pod["netns"]; name: string },
    shape: MemoryShape,
    frames: readonly CorpusFrame[],
  ): Promise<Found> {
    const { datapath } = this.mesh;
    const sent = (fate: Fate) => frames.filter((frame) => frame.fate === fate).length;
    const before = datapath.verdicts();
    const counted = (fate: Fate) => datapath.since(before)[`${program}.${fate}`] ?? 0;
    sendFrames(device.netns, device.name, shape, ...frames.map(({ bytes }) => bytes));
    const all = () => counted("captured") + counted("dropped_unparsable") + counted("passed");
    await until("every frame to be counted", () => all() >= frames.length);
    const captured = counted("captured") - sent("captured");
    const dropped = counted("dropped_unparsable") - sent("dropped_unparsable");
    return { escaped: Math.max(0, -(captured + dropped)), captured, dropped };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.mesh[Symbol.asyncDispose]();
  }
}

const NEEDS_CHECKSUM = 1;
const GSO = { ipv4: 1, ipv6: 4 } as const;
const CHECKSUM_IN_TCP = 16;

/** A struct virtio_net_hdr (linux/virtio_net.h) before a frame that is to be cut into TCP segments of `segment` bytes. */
export function gsoFrame(frame: Uint8Array, tcpOffset: number, headBytes: number, segment = 1200): Uint8Array {
  const le16 = (value: number) => u16(value).reverse();
  const type = frame[12] === 0x08 ? GSO.ipv4 : GSO.ipv6;
  const header = concat(
    Uint8Array.of(NEEDS_CHECKSUM, type),
    le16(headBytes),
    le16(segment),
    le16(tcpOffset),
    le16(CHECKSUM_IN_TCP),
  );
  return concat(header, frame);
}
