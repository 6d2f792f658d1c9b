import { replay, rowOf, type Turn, type WorkloadStatus } from "@millrace/core/internal";
import type { Palette } from "../cli/colour.ts";
import { EventFilter } from "../event-log/event-filter.ts";
import { momentsOf } from "./moment.ts";
import { momentLine } from "./moment-line.ts";
import type { Recording } from "./recording.ts";
import { renderDifference } from "./render-difference.ts";
import { renderState } from "./render-state.ts";

/** Turns that can be gone back to. They share what did not change between them. */
const HISTORY = 10_000;

const HELP = `enter, n [count]  the next input and what is decided because of it
b [count]         back
g seq             go to this event
d                 go to the next decision
x                 go to the next difference
p pod             go to the next event of a pod: name, namespace/name, UID
s [pod]           the state at this point
j                 the rows, as they are in the log
q                 end
`;

type Wanted = (turn: Turn) => boolean;

/** Walks through a recording, forwards and back, a turn at a time. */
export class Stepper {
  readonly #turns: Iterator<Turn>;
  readonly #palette: Palette;
  readonly #seen: Turn[] = [];
  /** Index in {@link #seen} of the turn that is shown; -1 before the first. */
  #at = -1;

  constructor(recording: Recording, palette: Palette) {
    this.#turns = replay(recording.rows())[Symbol.iterator]();
    this.#palette = palette;
  }

  /** What a command prints; undefined when it ends the walk. */
  run(command: string): string | undefined {
    const [verb = "", argument = ""] = command.trim().split(/\s+/);
    switch (verb) {
      case "":
      case "n":
        return this.#next(count(argument));
      case "b":
        return this.#back(count(argument));
      case "g":
        return this.#goTo(/^\d{1,15}$/.test(argument) ? Number(argument) : Number.NaN);
      case "d":
        return this.#forward(({ recorded, decided }) => recorded.length + decided.length > 0, "no further decision");
      case "x":
        return this.#forward(({ difference }) => difference !== undefined, "no further difference");
      case "p":
        return this.#nextOfPod(argument);
      case "s":
        return this.#state(argument);
      case "j":
        return this.#current((turn) =>
          [turn.input, ...turn.recorded].map((record) => `${rowOf(record).line}\n`).join(""),
        );
      case "q":
        return undefined;
      default:
        return HELP;
    }
  }

  #next(times: number): string {
    let shown = "";
    for (let step = 0; step < times; step++) {
      const turn = this.#advance();
      if (turn === undefined) return `${shown}the log ends here\n`;
      shown += this.#show(turn);
    }
    return shown;
  }

  #back(times: number): string {
    if (this.#at - times < 0) return "the log begins here, or is not remembered further back\n";
    this.#at -= times;
    return this.#current((turn) => this.#show(turn));
  }

  #goTo(seq: number): string {
    if (!Number.isInteger(seq)) return HELP;
    const has: Wanted = ({ input, recorded }) => (recorded.at(-1) ?? input).seq >= seq;
    const known = this.#seen.findIndex(has);
    if (known < 0) return this.#forward(has, `the log ends before event ${seq}`);
    this.#at = known;
    return this.#current((turn) => this.#show(turn));
  }

  #nextOfPod(pod: string): string {
    if (pod === "") return HELP;
    const filter = new EventFilter({ pod });
    // Its name may have been told before this point.
    for (const { input, recorded } of this.#seen.slice(0, this.#at + 1))
      for (const record of [input, ...recorded]) filter.matches(record);
    const about: Wanted = ({ input, recorded }) =>
      [input, ...recorded].filter((record) => filter.matches(record)).length > 0;
    return this.#forward(about, `nothing further about ${pod}`);
  }

  #forward(wanted: Wanted, otherwise: string): string {
    for (let turn = this.#advance(); turn !== undefined; turn = this.#advance())
      if (wanted(turn)) return this.#show(turn);
    return `${otherwise}\n`;
  }

  #advance(): Turn | undefined {
    if (this.#at + 1 < this.#seen.length) return this.#seen[++this.#at];
    const next = this.#turns.next();
    if (next.done === true) return undefined;
    this.#seen.push(next.value);
    if (this.#seen.length > HISTORY) this.#seen.shift();
    this.#at = this.#seen.length - 1;
    return next.value;
  }

  #state(pod: string): string {
    const fits = ({ uid, namespace, name }: WorkloadStatus) => [name, `${namespace}/${name}`, uid].includes(pod);
    return this.#current(({ after }) => renderState(after, this.#palette, pod === "" ? undefined : fits));
  }

  #current(show: (turn: Turn) => string): string {
    const turn = this.#seen[this.#at];
    return turn === undefined ? "nothing has happened yet: enter goes to the first event\n" : show(turn);
  }

  #show(turn: Turn): string {
    const lines = momentsOf(turn).map((moment) => momentLine(moment, undefined, this.#palette));
    const notes = [
      turn.difference === undefined ? "" : renderDifference(turn.difference, this.#palette),
      turn.known ? "" : "  not compared: rows before are missing\n",
      turn.dropped ? "  not fed in: what it is the outcome of is not decided today\n" : "",
    ];
    return [...lines, ...notes].join("");
  }
}

function count(text: string): number {
  return /^[1-9]\d{0,6}$/.test(text) ? Number(text) : 1;
}
