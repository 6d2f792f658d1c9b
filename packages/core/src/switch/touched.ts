import type { EventRecord } from "../events/event.ts";
import { subjects, workloadUid } from "../events/subjects.ts";
import type { State } from "../state/state.ts";

type Told = EventRecord<"switch.requested" | "redirection.applied" | "redirection.failed" | "redirection.removed">;

/** What a step of a switch has made it time to decide about. Outside of one, an outcome decides nothing. */
export function touchedBySwitch(event: Told, before: State, after: State): string[] {
  if (before.switch === undefined && after.switch === undefined) return [];
  if (before.switch !== after.switch || event.subject === subjects.proxies) return everything(after);
  return [subjects.proxies, event.subject];
}

function everything({ requested }: State): string[] {
  return [subjects.proxies, ...requested.keySeq().filter((subject) => workloadUid(subject) !== undefined)];
}
