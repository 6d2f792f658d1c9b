import type { Testbed } from "./testbed.ts";

/** One kernel object of a backend, or several of one kind, that somebody may delete. */
export interface ManagedObject {
  readonly kind: string;
  /** True when nothing gets past the proxy while it is gone: the rest of the backend drops what it would have captured. */
  readonly guarded: boolean;
  /** What happens meanwhile. */
  readonly meanwhile: string;
  /** Deletes it, with what anybody has: the pinned object, `tc`, `ip`, `ipset`, `iptables`. */
  remove(): Promise<void>;
}

/** Lists what there is of a backend on the fixture's node, of each kind one. */
export type ListManaged = (bed: Testbed, family: 4 | 6) => Promise<ManagedObject[]>;
