/** What became of the search for anything of Millrace. The shape of `millrace verify-clean --json`; fields are only ever added. */
export interface Verification {
  /** Of ours, and still there. Empty when the node is proven clean. */
  readonly left: readonly string[];
  /** As we would have done it, but nothing says that it was us. */
  readonly unclaimed: readonly string[];
  /** There on purpose. */
  readonly kept: readonly string[];
  /** What could not be looked at. */
  readonly unseen: readonly string[];
  /** What changed on the node since the snapshot, by somebody else's doing. */
  readonly others: readonly string[];
  /** The snapshots that the node was compared with; absent where there is none of this boot, or none at all. */
  readonly comparedWith: {
    readonly kernel: { readonly takenAt: string; readonly late: boolean } | undefined;
    readonly files: { readonly takenAt: string } | undefined;
  };
  /** How many network namespaces were looked into, the node's own among them. */
  readonly namespaces: number;
}

/** Whether it proves that nothing is left. `strict`: what may be ours counts as ours. */
export const isClean = ({ left, unclaimed, unseen }: Verification, strict = false): boolean =>
  left.length === 0 && unseen.length === 0 && (!strict || unclaimed.length === 0);
