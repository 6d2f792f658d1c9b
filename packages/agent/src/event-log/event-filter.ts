import type { EventRecord } from "@millrace/core/internal";

/** Which events of the log are wanted; what is absent does not narrow. */
export interface EventQuery {
  /** Only events after this place in the log. */
  readonly since?: number;
  readonly types?: readonly string[];
  /** A whole subject, `workload/<uid>`, or a kind of them, `workload`. */
  readonly subject?: string;
  /** A pod by name, `namespace/name`, UID, or the beginning of a UID of at least {@link MIN_UID_PREFIX} characters. */
  readonly pod?: string;
}

/** As many as `millrace status` shows. */
const MIN_UID_PREFIX = 8;

/** What events tell of the pods they are about; an event may be about several (`use-proxies`, `switch.requested`). */
interface PodMention {
  readonly uid?: string;
  readonly namespace?: string;
  readonly name?: string;
}

const SUBJECT_UID = /^(?:workload|pod)\/(.+)$/;

function mentions({ type, subject, data }: EventRecord): PodMention[] {
  if (type === "state.snapshot") return []; // of everything and nothing
  const uid = SUBJECT_UID.exec(subject)?.[1];
  const found: PodMention[] = uid === undefined ? [] : [{ uid }];
  if ("uid" in data) found.push(data);
  if (type === "switch.requested") found.push(...(data.uids ?? []).map((uid) => ({ uid })));
  if (type === "redirection.requested") {
    if (data.action === "apply" || data.action === "remove") found.push(data.spec);
    if (data.action === "use-proxies")
      found.push(...(data.spec.active ? [data.spec.active] : []), ...data.spec.draining);
  }
  return found;
}

/**
 * Tells the wanted events from the others. Must be shown every event, in order and from the beginning: the events that follow a
 * pod's first carry its UID only, so names are learnt on the way.
 */
export class EventFilter {
  readonly #query: EventQuery;
  readonly #types: ReadonlySet<string> | undefined;
  readonly #uids = new Set<string>();

  constructor(query: EventQuery) {
    this.#query = query;
    this.#types = query.types === undefined || query.types.length === 0 ? undefined : new Set(query.types);
  }

  matches(event: EventRecord): boolean {
    const ofPod = this.#isOfPod(event);
    const { since, subject } = this.#query;
    if (!ofPod || (since !== undefined && event.seq <= since)) return false;
    if (this.#types !== undefined && !this.#types.has(event.type)) return false;
    return subject === undefined || event.subject === subject || event.subject.startsWith(`${subject}/`);
  }

  #isOfPod(event: EventRecord): boolean {
    const { pod } = this.#query;
    if (pod === undefined) return true;
    let found = false;
    for (const { uid, namespace, name } of mentions(event)) {
      const named = name !== undefined && (name === pod || `${namespace}/${name}` === pod);
      const byUid = uid !== undefined && (uid === pod || (pod.length >= MIN_UID_PREFIX && uid.startsWith(pod)));
      if (uid !== undefined && (named || byUid)) this.#uids.add(uid);
      found ||= named || byUid || (uid !== undefined && this.#uids.has(uid));
    }
    return found;
  }
}
