import { type EventRecord, interfaceOf, type State, type Turn, workloadUid } from "@millrace/core/internal";
import { gist } from "../event-log/event-line.ts";

/** One line of a timeline: what was known, decided or done at a time. */
export interface Moment {
  readonly node: string;
  readonly seq: number;
  readonly time: string;
  /** `log`: what the log says about itself. */
  readonly kind: "known" | "decided" | "done" | "log";
  readonly type: EventRecord["type"];
  /** Whom it is about: `namespace/name` of a pod where that is known, else the event's subject. */
  readonly about: string;
  readonly text: string;
  /** Of an intent: `seq` of the input that it answers. Of an outcome: `seq` of the intent. */
  readonly of?: number;
  /** Of an outcome: milliseconds in the backend. */
  readonly tookMs?: number;
  /** Of an outcome: milliseconds since it was asked for, as the log has it: waiting and earlier tries included. */
  readonly sinceMs?: number;
}

/** What a turn adds to the timeline: the input, then what was decided because of it, as recorded. */
export function momentsOf({ input, recorded, before, after }: Turn): Moment[] {
  const node = after.agent?.node ?? "";
  const moment = (record: EventRecord): Moment => ({
    node,
    seq: record.seq,
    time: record.time,
    kind: kindOf(record),
    type: record.type,
    about: aboutOf(record.subject, after, before),
    text: gist(record),
    ...relations(record, before),
  });
  return [input, ...recorded].map(moment);
}

function kindOf({ type }: EventRecord): Moment["kind"] {
  switch (type) {
    case "redirection.requested":
      return "decided";
    case "redirection.applied":
    case "redirection.removed":
    case "redirection.failed":
      return "done";
    case "log.gap":
    case "state.snapshot":
      return "log";
    default:
      return "known";
  }
}

function relations(record: EventRecord, before: State): Pick<Moment, "of" | "tookMs" | "sinceMs"> {
  if (record.type === "redirection.requested") return { of: record.data.cause };
  if (kindOf(record) !== "done") return {};
  const { generation, durationMs } = (record as EventRecord<"redirection.applied">).data;
  const requested = before.requested.get(record.subject);
  // A retry asks again; the intent of this outcome may also have been replaced meanwhile.
  const sinceMs = requested === undefined ? undefined : Date.parse(record.time) - Date.parse(requested.time);
  return { of: generation, tookMs: durationMs, ...(sinceMs !== undefined && { sinceMs }) };
}

/** The pod's name, also when this event is the one that took it away. */
function aboutOf(subject: string, ...states: readonly State[]): string {
  const uid = workloadUid(subject) ?? /^pod\/(.*)$/.exec(subject)?.[1];
  const containerId = /^interface\/(.*)$/.exec(subject)?.[1];
  for (const state of states) {
    const found = containerId === undefined ? undefined : state.interfaces.get(containerId);
    const named = found ?? (uid === undefined ? undefined : nameOf(state, uid));
    if (named !== undefined) return `${named.namespace}/${named.name}`;
  }
  return subject;
}

function nameOf(state: State, uid: string): { readonly namespace: string; readonly name: string } | undefined {
  const requested = state.requested.get(`workload/${uid}`);
  return state.pods.get(uid) ?? interfaceOf(state, uid) ?? (requested?.action === "apply" ? requested.spec : undefined);
}
