import {
  canonicalJson,
  EventLogReader,
  type EventRecord,
  subjects as names,
  workloadUid,
} from "@millrace/core/internal";
import { describeError } from "../logging/describe-error.ts";

/** What was decided about a subject, and because of what. */
export interface Decision {
  /** The first intent that asked for what is asked for now: retries and drift ask for the same again. */
  readonly intent: EventRecord<"redirection.requested">;
  /** The event that it answered; absent where the log does not reach back to it. */
  readonly cause?: EventRecord;
}

export interface LastEvents {
  /** The last one of each subject that has one, in order of `seq`. */
  readonly events: readonly EventRecord[];
  /** Of the workload and of the proxies, in order of `seq`. */
  readonly decisions: readonly Decision[];
  /** Why there are none: the log cannot be read. What the agent and the kernel say holds all the same. */
  readonly unread?: string;
}

/** Intents that are looked through for the first of a row: a workload that fails is asked for again and again. */
const MOST_INTENTS = 1_000;

export function lastEvents(path: string, subjects: readonly string[]): LastEvents {
  try {
    using reader = EventLogReader.open(path);
    const events = subjects.flatMap((subject) => [...reader.read({ subjects: [subject], last: 1 })]);
    const decisions = subjects.filter(isDecidedAbout).flatMap((subject) => decisionOf(reader, subject) ?? []);
    return {
      events: events.sort((a, b) => a.seq - b.seq),
      decisions: decisions.sort((a, b) => a.intent.seq - b.intent.seq),
    };
  } catch (error) {
    const { code = "ERR_UNEXPECTED", message } = describeError(error);
    return { events: [], decisions: [], unread: `${code}: ${message}` };
  }
}

const isDecidedAbout = (subject: string): boolean => workloadUid(subject) !== undefined || subject === names.proxies;

function decisionOf(reader: EventLogReader, subject: string): Decision | undefined {
  const filter = { subjects: [subject], types: ["redirection.requested"], last: MOST_INTENTS };
  const intents = [...reader.read(filter)] as EventRecord<"redirection.requested">[];
  const last = intents.at(-1);
  if (last === undefined) return undefined;
  const before = intents.findLastIndex((intent) => asks(intent) !== asks(last));
  const intent = intents[before + 1] ?? last;
  const [cause] = reader.read({ since: intent.data.cause, limit: 1 });
  return { intent, ...(cause?.seq === intent.data.cause && { cause }) };
}

const asks = ({ data: { action, spec } }: EventRecord<"redirection.requested">): string =>
  canonicalJson({ action, spec });
