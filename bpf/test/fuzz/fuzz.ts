import type { Verdict } from "../support/layout.ts";
import { Generator } from "./generator.ts";
import { judge } from "./oracle.ts";
import { Random } from "./random.ts";
import { isAnswer } from "./reset-oracle.ts";
import { type RowId, rowOf } from "./rows.ts";
import type { Expected, Target, TargetName } from "./target.ts";

/**
 * - `escaped`: a member's TCP, or what may be, that is neither captured nor dropped; or a frame that ends the chain of programs on the hook
 * - `over-captured`: another frame captured or dropped
 * - `mistaken`: anything else: dropped instead of captured or the other way round, changed in other bytes, counted wrong, sent elsewhere by a proxy
 */
export type Kind = "escaped" | "over-captured" | "mistaken";

/** A frame that became something else than the table says. `seed` makes its batch again. */
export interface Finding {
  readonly kind: Kind;
  readonly program: TargetName;
  readonly row: RowId;
  readonly seed: number;
  readonly what: string;
  /** Hexadecimal. */
  readonly frame: string;
}

export interface Tally {
  frames: number;
  /** Frames that BPF_PROG_TEST_RUN did not take. */
  refused: number;
  readonly rows: Map<RowId, number>;
  readonly kinds: Map<Kind, number>;
  /** The first of each kind. */
  readonly findings: Finding[];
}

export const BATCH = 1000;
const KEPT_OF_A_KIND = 20;

export const emptyTally = (): Tally => ({ frames: 0, refused: 0, rows: new Map(), kinds: new Map(), findings: [] });

/** Runs {@link BATCH} frames, which the seed repeats, through the targets in turn. */
export function fuzzBatch(targets: readonly Target[], seed: number, tally: Tally): void {
  const random = new Random(seed);
  const generator = new Generator();
  const before = targets.map((target) => target.counted());
  const expected = targets.map(() => new Map<Verdict, number>());
  const report = (kind: Kind, target: Target, row: RowId, what: string, frame: Uint8Array) =>
    add(tally, { kind, program: target.name, row, seed, what, frame: Buffer.from(frame).toString("hex") });
  const findingsBefore = countFindings(tally);
  let last: { row: RowId; frame: Uint8Array } | undefined;

  for (let index = 0; index < BATCH; index++) {
    const which = index % targets.length;
    const target = targets[which];
    const verdicts = expected[which];
    if (!target || !verdicts) throw new RangeError("nothing to fuzz");
    const frame = generator.next(random);
    target.adapt(frame);
    const judgement = judge(frame);
    const ran = run(target, frame);
    if (!ran) {
      tally.refused++;
      continue;
    }
    const { row } = judgement;
    tally.frames++;
    tally.rows.set(row, (tally.rows.get(row) ?? 0) + 1);
    const wanted = target.expects(frame, judgement);
    verdicts.set(wanted.verdict, (verdicts.get(wanted.verdict) ?? 0) + 1);
    const problem = compare(target.name, frame, row, wanted, ran);
    if (problem) report(problem.kind, target, row, problem.what, frame);
    else last = { row, frame };
  }

  // The counters are read once a batch: one by one they would cost more than the programs.
  if (!last || countFindings(tally) > findingsBefore) return;
  for (const [which, target] of targets.entries()) {
    for (const [verdict, count] of target.counted()) {
      const added = count - (before[which]?.get(verdict) ?? 0);
      const wanted = expected[which]?.get(verdict) ?? 0;
      const what = `${verdict} was counted ${added} times in a batch that ends so, not ${wanted}`;
      if (added !== wanted) report("mistaken", target, last.row, what, last.frame);
    }
  }
}

const countFindings = ({ kinds }: Tally) => [...kinds.values()].reduce((sum, count) => sum + count, 0);

/** What is wrong with what one target does with one frame, whose MACs it makes such as come to it. */
export function check(target: Target, frame: Uint8Array): { kind: Kind; what: string } | undefined {
  target.adapt(frame);
  const judgement = judge(frame);
  const ran = run(target, frame);
  if (!ran) throw new Error("the kernel refuses this frame");
  return compare(target.name, frame, judgement.row, target.expects(frame, judgement), ran);
}

interface Ran {
  readonly retval: number;
  readonly data: Uint8Array;
}

function run(target: Target, data: Uint8Array): Ran | undefined {
  try {
    return target.program.testRun({ data });
  } catch (error) {
    if ((error as { code?: unknown }).code === "EINVAL") return undefined;
    throw error;
  }
}

function compare(
  program: TargetName,
  frame: Uint8Array,
  row: RowId,
  wanted: Expected,
  ran: Ran,
): { kind: Kind; what: string } | undefined {
  if (ran.retval !== wanted.returned) {
    const what = `returned ${ran.retval}, not ${wanted.returned} (${wanted.verdict})`;
    return { kind: kindOf(program, row, ran.retval), what };
  }
  const { head, answer } = wanted;
  const isUnchanged = () =>
    ran.data.length === frame.length &&
    Buffer.compare(ran.data.subarray(head.length), frame.subarray(head.length)) === 0 &&
    Buffer.compare(ran.data.subarray(0, head.length), head) === 0;
  return (answer ? isAnswer(ran.data, answer) : isUnchanged())
    ? undefined
    : { kind: "mistaken", what: `changed the frame to ${Buffer.from(ran.data).toString("hex")}` };
}

const NEXT = -1;
const KNOWN = [NEXT, 2, 7];

function kindOf(program: TargetName, row: RowId, returned: number): Kind {
  if (!KNOWN.includes(returned)) return "escaped";
  if (program === "ztunnel_host_in" || program === "ztunnel_tproxy") return "mistaken";
  const { fate } = rowOf(row);
  if (fate === "passed") return "over-captured";
  return returned === NEXT ? "escaped" : "mistaken";
}

function add(tally: Tally, finding: Finding): void {
  const count = (tally.kinds.get(finding.kind) ?? 0) + 1;
  tally.kinds.set(finding.kind, count);
  if (count <= KEPT_OF_A_KIND) tally.findings.push(finding);
}
