/** What an uninstall did. The shape of `millrace uninstall --json`; fields are only ever added. */
export interface Removal {
  /** What was there and is gone, one phrase each. Empty when there was nothing. */
  readonly removed: readonly string[];
  /** What is of ours, or may be, and is still there; each with the reason. Empty when the node is clean. */
  readonly left: readonly string[];
  /** What was left on purpose. */
  readonly kept: readonly string[];
}

/** Gathers a {@link Removal}. */
export class Ledger implements Removal {
  readonly removed: string[] = [];
  readonly left: string[] = [];
  readonly kept: string[] = [];
}
