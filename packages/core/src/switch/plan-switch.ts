import { step } from "../decide/step.ts";
import type { EventData, EventInput } from "../events/event.ts";
import { inputs } from "../events/inputs.ts";
import type { Placement } from "../events/switch-events.ts";
import type { State } from "../state/state.ts";

/** One step that a switch would take, as an intent would ask for it. */
export interface PlannedStep {
  readonly subject: string;
  readonly placement: Placement;
}

/** More than any node takes: two steps for each of a thousand workloads, there and back. */
const MOST_ROUNDS = 16;

/**
 * The steps that a switch would take from here, were it asked for now and did every step succeed: the same `decide` on a copy of the state. Pure.
 * What is under way already is in it.
 */
export function planSwitch(before: State, request: EventData["switch.requested"], time: string): PlannedStep[] {
  const planned: PlannedStep[] = [];
  let state = before;
  const feed = (input: EventInput): void => {
    const next = step(state, input, time);
    state = next.state;
    for (const { subject, data } of next.intents) {
      if ("placement" in data.spec && data.spec.placement) planned.push({ subject, placement: data.spec.placement });
    }
  };
  feed(inputs.switchRequested(request));
  for (let round = 0; round < MOST_ROUNDS && state.switch !== undefined; round++) {
    const pending = [...state.outcomes]
      .filter(([, outcome]) => outcome.state !== "applied")
      .map(([subject]) => subject);
    if (pending.length === 0) break;
    for (const subject of pending.sort()) {
      const { action, seq: generation } = state.requested.get(subject) ?? {};
      if (generation === undefined || state.outcomes.get(subject)?.generation !== generation) continue;
      const outcome = { generation, durationMs: 0, attempt: 1 };
      if (action === "remove") feed({ type: "redirection.removed", subject, data: { action, ...outcome } });
      else if (action !== undefined) feed({ type: "redirection.applied", subject, data: { action, ...outcome } });
    }
  }
  return planned;
}
