import type { Status } from "../status/status-document.ts";
import type { Occurrence } from "./event-series.ts";
import type { Regarding } from "./regarding.ts";
import type { Trouble } from "./troubles.ts";

/** A trouble that lasts is told again after so long: Events are kept for an hour, and who looks later must see it too. */
const AGAIN_MS = 600_000;

interface Known {
  readonly since: number;
  note: string;
  toldAt: number | undefined;
}

/** Remembers what was told, so that each trouble is told when it begins, from time to time while it lasts, and when it is over. */
export class TroubleBook {
  readonly #known = new Map<string, Known>();
  /** Objects about which a trouble was told that may not be over. */
  readonly #told = new Map<string, Regarding>();

  /** What has to be told now, of all that is wrong now. `now` is in milliseconds of any steady clock. */
  look(troubles: readonly Trouble[], status: Status, now: number): Occurrence[] {
    const present = new Set(troubles.map(keyOf));
    for (const key of this.#known.keys()) if (!present.has(key)) this.#known.delete(key);
    const news = troubles.filter((trouble) => this.#isNews(trouble, now));
    for (const { regarding } of news) this.#told.set(objectOf(regarding), regarding);
    const troubled = new Set(troubles.map(({ regarding }) => objectOf(regarding)));
    return [
      ...news,
      ...[...this.#told].flatMap(([object, about]) => (troubled.has(object) ? [] : this.#over(about, status))),
    ];
  }

  #isNews(trouble: Trouble, now: number): boolean {
    const key = keyOf(trouble);
    const known: Known = this.#known.get(key) ?? { since: now, note: trouble.note, toldAt: undefined };
    this.#known.set(key, known);
    if (now - known.since < trouble.afterMs) return false;
    if (known.toldAt !== undefined && known.note === trouble.note && now - known.toldAt < AGAIN_MS) return false;
    known.toldAt = now;
    known.note = trouble.note;
    return true;
  }

  /** Nothing of it is wrong any more, as far as is known. */
  #over(regarding: Regarding, { workloads }: Status): Occurrence[] {
    const object = objectOf(regarding);
    if (regarding.kind === "Node") {
      this.#told.delete(object);
      return [{ regarding, reason: "Recovered", note: "what was wrong with the redirection on this node is over" }];
    }
    const state = workloads.find(({ uid }) => uid === regarding.uid)?.state;
    if (state === "pending" || state === "unseen" || state === "leaving") return [];
    this.#told.delete(object);
    if (state !== "enrolled") return [];
    return [{ regarding, reason: "Redirected", note: "the kernel holds all of its redirection" }];
  }
}

const objectOf = ({ kind, uid }: Regarding): string => `${kind}/${uid}`;
const keyOf = ({ regarding, reason }: Trouble): string => `${objectOf(regarding)}/${reason}`;
