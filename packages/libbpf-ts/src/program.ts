import { FdOwner, HANDLE } from "./fd-owner.ts";
import { nameOf, PROGRAM_TYPES, type ProgramType, type UnknownType } from "./kernel-names.ts";
import { KIND, native, type ProgramHandle } from "./native.ts";

/** What the kernel says about a program. */
export interface ProgramInfo {
  readonly id: number;
  readonly type: ProgramType | UnknownType;
  /** At most 15 bytes: the kernel cuts longer function names. */
  readonly name: string;
  /** Hash of the instructions, 16 hex digits: equal tags are equal code, whatever the maps. */
  readonly tag: string;
  /** Ids of the maps that it uses. */
  readonly mapIds: readonly number[];
  /** Instructions as they run, after the verifier's rewriting. */
  readonly instructions: number;
  /** Instructions that the verifier has walked through, of at most a million; 0 before Linux 5.16. */
  readonly verifiedInstructions: number;
  /** Bytes of compiled machine code; 0 when it is interpreted. */
  readonly machineCodeBytes: number;
  readonly createdByUid: number;
  /** Reckoned from the kernel's time since boot: good to some milliseconds. */
  readonly loadedAt: Date;
}

/** Input of {@link BpfProgram.testRun}. */
export interface TestRunInput {
  /** The packet, from its Ethernet header, at least 14 bytes; empty for program types without one (sk_lookup). */
  readonly data: Uint8Array;
  /** Runs in the kernel, 1 by default; each sees what the one before left. */
  readonly repeat?: number;
  /**
   * The context, for instance a `struct __sk_buff`; fields that the kernel does not accept from outside must be zero
   * (convert___skb_to_skb() in net/bpf/test_run.c).
   */
  readonly context?: Uint8Array;
}

export interface TestRunResult {
  /** What the program returned, signed: -1 is TC_ACT_UNSPEC. */
  readonly retval: number;
  /** The packet as the program left it. */
  readonly data: Uint8Array;
  /** The context as the program left it; empty when none was given. */
  readonly context: Uint8Array;
  /** Mean time of one run, in nanoseconds. */
  readonly durationNs: number;
}

/** Counted while {@link RunStatistics} are on. */
export interface ProgramStatistics {
  readonly runs: bigint;
  readonly runTimeNs: bigint;
  /** Runs that did not take place, because the program would have run within itself. */
  readonly recursionMisses: bigint;
}

const NOTHING = new Uint8Array();

/** A loaded BPF program. */
export class BpfProgram extends FdOwner<ProgramHandle> {
  #info: ProgramInfo | undefined;

  /**
   * Opens the program pinned at that path.
   * @throws {LibbpfError} ENOENT, ERR_WRONG_KIND, EACCES, EINVAL (no BPF file system)
   */
  static openPinned(path: string): BpfProgram {
    return new BpfProgram(native.openPinned(KIND.program, path) as ProgramHandle);
  }

  /**
   * Opens a program by its id (needs CAP_SYS_ADMIN).
   * @throws {LibbpfError} ENOENT, EPERM
   */
  static byId(id: number): BpfProgram {
    return new BpfProgram(native.openById(KIND.program, id) as ProgramHandle);
  }

  /**
   * Fixed at loading, so it is asked once.
   * @throws {LibbpfError} ERR_CLOSED
   */
  get info(): ProgramInfo {
    if (this.#info === undefined) {
      const { loadedAt, type, ...rest } = native.programInfo(this[HANDLE]);
      this.#info = Object.freeze({ ...rest, type: nameOf(PROGRAM_TYPES, type), loadedAt: new Date(loadedAt) });
    }
    return this.#info;
  }

  /** What it has run, asked anew each time. @throws {LibbpfError} ERR_CLOSED */
  statistics(): ProgramStatistics {
    return native.programStatistics(this[HANDLE]);
  }

  /**
   * Runs the program in the kernel on a made-up packet (`BPF_PROG_TEST_RUN`); nothing is sent, but maps are really changed.
   * The frame is always linear, redirects are not followed. Signals wait until all `repeat` runs are made.
   * @throws {LibbpfError} EINVAL (packet too short, context field not accepted), ENOSPC (over 4096 bytes added), ENOTSUPP, EINTR (the kernel broke
   * off after some of the runs), ERR_CLOSED
   */
  testRun({ data, repeat = 1, context = NOTHING }: TestRunInput): TestRunResult {
    return native.programTestRun(this[HANDLE], data, context, repeat);
  }
}
