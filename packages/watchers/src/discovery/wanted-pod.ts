/** A pod that needs a known interface and has none: CNI announced it before the agent ran, or never did. */
export interface WantedPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Canonical text form, both families. A pod without addresses is left alone until it has some: nothing could prove a find. */
  readonly addresses: readonly string[];
}
