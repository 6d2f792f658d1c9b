import { type Difference, replay, Tally, type Turn } from "@millrace/core/internal";
import { EventFilter } from "../event-log/event-filter.ts";
import { type Moment, momentsOf } from "./moment.ts";
import type { Recording } from "./recording.ts";

/** A moment, or a place where today's decisions differ. */
export interface StoryItem {
  readonly time: string;
  readonly recording: Recording;
  readonly moment?: Moment;
  readonly difference?: Difference;
}

/**
 * The timeline of one recording as its rows are replayed, and what that came to in the end. With `pod` only what is about that pod: its
 * events, what was decided about it together with the reason, and the agent's own life.
 */
export class Story {
  readonly recording: Recording;
  readonly tally = new Tally();
  readonly #filter: EventFilter | undefined;

  constructor(recording: Recording, pod?: string) {
    this.recording = recording;
    this.#filter = pod === undefined ? undefined : new EventFilter({ pod });
  }

  *items(): Generator<StoryItem> {
    const { recording } = this;
    let time = "";
    for (const turn of replay(recording.rows())) {
      this.tally.add(turn);
      time = turn.input.time;
      const wanted = this.#wanted(turn);
      for (const moment of momentsOf(turn)) if (wanted.has(moment.seq)) yield { time, recording, moment };
      const { difference } = turn;
      if (difference !== undefined && (wanted.size > 0 || difference.kind === "missing"))
        yield { time, recording, difference };
    }
    const known = this.tally.result.differences.length;
    this.tally.end(recording.last);
    const cutOff = this.tally.result.differences[known];
    if (cutOff !== undefined) yield { time, recording, difference: cutOff };
  }

  /** `seq` of the rows of a turn that belong to the story. */
  #wanted({ input, recorded, decided }: Turn): Set<number> {
    const filter = this.#filter;
    if (filter === undefined) return new Set([input, ...recorded].map(({ seq }) => seq));
    const matches = [input, ...recorded].filter((record) => filter.matches(record)).map(({ seq }) => seq);
    const wanted = new Set(matches);
    // What was not decided then, and would be now, is of the story as well.
    const caused = matches.some((seq) => seq !== input.seq) || decided.some((intent) => filter.matches(intent));
    if (caused || input.type.startsWith("agent.") || input.type === "log.gap") wanted.add(input.seq);
    return wanted;
  }
}
