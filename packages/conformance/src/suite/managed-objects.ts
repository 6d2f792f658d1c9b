import { subjects } from "@millrace/core/internal";
import type { Testbed } from "./testbed.ts";

/** One kernel object of a backend, or several of one kind, that somebody may delete or change. */
export interface ManagedObject {
  readonly kind: string;
  /** Whose drift it is, as events name it. */
  readonly subject: string;
  /** What a snapshot of the node shows of this kind: lines with their titles, as `compareSnapshots` tells them. */
  readonly lines: RegExp;
  /** True when nothing gets past the proxy while it is gone: the rest of the backend drops what it would have captured. */
  readonly guarded: boolean;
  /** It goes when another one of the list is deleted. */
  readonly isPart?: true;
  /** What happens meanwhile. */
  readonly meanwhile: string;
  /** Deletes it, with what anybody has: the pinned object, `tc`, `ip`, `ipset`, `iptables`. Absent: it cannot be deleted, as the value of an array. */
  remove?(): Promise<void>;
  /** Makes it another one. Absent: there is nothing about it that could be changed, it is there or not. */
  change?(): Promise<void>;
}

/** Lists what there is of a backend on the fixture's node, of each kind one. */
export type ListManaged = (bed: Testbed, family: 4 | 6) => Promise<ManagedObject[]>;

/** What all members share, or the proxy has: what is left drops what it would have captured. `lines` of the sections of a snapshot that are named. */
export const guarded = (
  kind: string,
  lines: RegExp,
  strikes: Pick<ManagedObject, "remove" | "change">,
): ManagedObject => ({
  kind,
  subject: subjects.proxies,
  lines,
  guarded: true,
  meanwhile: "dropped by what is left",
  ...strikes,
});

export const quietly = (work: () => Promise<unknown>) => async (): Promise<void> => void (await work());
