import { native, type StatisticsHandle } from "./native.ts";

/** While one is open, the kernel counts and times the runs of all programs (`BPF_ENABLE_STATS`), at some 20 ns a run. */
export class RunStatistics implements Disposable {
  readonly #handle: StatisticsHandle;

  private constructor(handle: StatisticsHandle) {
    this.#handle = handle;
  }

  /** @throws {LibbpfError} EPERM (needs CAP_SYS_ADMIN), EINVAL (before Linux 5.8) */
  static enable(): RunStatistics {
    return new RunStatistics(native.enableStatistics());
  }

  /** Switches them off, unless somebody else wants them too. Again is harmless. */
  [Symbol.dispose](): void {
    native.close(this.#handle);
  }
}
