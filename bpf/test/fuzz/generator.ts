import { FrameWriter } from "./frame-writer.ts";
import type { Random } from "./random.ts";
import { ROW_IDS, type RowId, rowOf } from "./rows.ts";
import { SHAPES } from "./shapes.ts";

/** Two of three frames are made for rows of a member's TCP: they are what must not get past. */
const CHOICES: readonly RowId[] = ROW_IDS.flatMap((row) => (rowOf(row).tcp === "yes" ? [row, row] : [row]));
/** No longer than what BPF_PROG_TEST_RUN takes into one page. */
const LONGEST = 2000;
const SHORTEST = 34;

/** Makes frames: one in three is changed at random after it was made. */
export class Generator {
  readonly #frame = new FrameWriter();

  /** Good until the next call. */
  next(random: Random): Uint8Array {
    const frame = this.#frame;
    frame.begin();
    SHAPES[random.pick(CHOICES)](frame, random);
    if (random.once(10)) frame.fill(random.between(1, 30), random.pick([0, 6, 0x50]));
    if (random.once(3)) for (let times = random.between(1, 3); times > 0; times--) mutate(frame, random);
    if (frame.length > LONGEST) frame.resize(LONGEST);
    while (frame.length < SHORTEST) frame.u8(0);
    return frame.bytes;
  }
}

function mutate(frame: FrameWriter, random: Random): void {
  // Where the headers are; the two bytes of the type seldom, or most frames would be no IP.
  const at = random.once(20) ? 12 + random.below(2) : random.between(14, Math.min(frame.length, 120) - 1);
  switch (random.below(6)) {
    case 0:
      frame.write(at, frame.read(at) ^ (1 << random.below(8)));
      break;
    case 1:
      frame.write(at, random.below(256));
      break;
    case 2:
      frame.write(at, random.pick([0, 6, 17, 43, 44, 51, 60, 255]));
      break;
    case 3:
      frame.resize(random.between(Math.min(SHORTEST, frame.length), frame.length));
      break;
    case 4: {
      // The packet's length: none, of a few bytes, or more than there is.
      const place = frame.read(12) === 0x08 ? 16 : 18;
      frame.write16(place, random.once(3) ? 0 : random.below(random.once(2) ? 100 : 65536));
      break;
    }
    default:
      frame.fill(random.between(1, 40), random.below(256));
  }
}
