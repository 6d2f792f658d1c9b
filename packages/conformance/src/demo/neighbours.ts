import type { LabNode } from "../lab/lab-node.ts";
import type { LabPod } from "../lab/lab-pod.ts";

export interface Neighbours {
  /** Frames each foreign program has seen so far. */
  counts(): Promise<{ readonly tcx: number; readonly clsact: number }>;
  /** `undefined` while both hang where they were put; else what is wrong. */
  missing(): Promise<string | undefined>;
  /** Takes the foreign tcx program away, as its owner would. */
  removeTcx(): Promise<void>;
}

export async function startNeighbours(_node: LabNode, _pod: LabPod): Promise<Neighbours> {
  throw new Error("filled in below");
}
