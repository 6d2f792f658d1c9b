import type { EventInput, EventRecord } from "../events/event.ts";
import { evolve } from "../state/evolve.ts";
import type { State } from "../state/state.ts";
import { decide } from "./decide.ts";
import { touched } from "./touched.ts";

/** An event with its place and time, what was decided because of it, and the state after all of it. */
export interface Step {
  readonly state: State;
  /** The event, then its intents: `seq` counts up from `state.seq + 1`, intents have the event's time. */
  readonly records: readonly EventRecord[];
  readonly intents: readonly EventRecord<"redirection.requested">[];
}

/** One turn of the agent: an input becomes an event, the event a new state, the state intents, the intents events. Pure. */
export function step(before: State, input: EventInput, time: string): Step {
  const event = { seq: before.seq + 1, time, ...input } as EventRecord;
  let state = evolve(before, event);
  const intents: EventRecord<"redirection.requested">[] = [];
  for (const intent of decide(state, touched(event, before, state))) {
    const record = { seq: state.seq + 1, time, ...intent };
    intents.push(record);
    state = evolve(state, record);
  }
  return { state, records: [event, ...intents], intents };
}
