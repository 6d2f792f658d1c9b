import { appendFileSync } from "node:fs";

/** What becomes known of the agents of tests, and of what they logged. */
export type LogNote =
  /** A process was started that is to be an agent. */
  | { readonly kind: "started" }
  /** It ended by itself instead: with a mistake in its configuration, beside another one. */
  | { readonly kind: "refused" }
  /** The log of so many agents, one after the other, was replayed and is as it was decided. */
  | { readonly kind: "replayed"; readonly agents: number; readonly events: number }
  /** So many agents were to leave none. */
  | { readonly kind: "none"; readonly agents: number; readonly because: string };

export interface LogAccount {
  readonly started: number;
  readonly refused: number;
  /** Agents whose log was replayed, and in how many logs. */
  readonly replayed: number;
  readonly logs: number;
  readonly events: number;
  /** Agents without a log, and why. */
  readonly none: number;
  readonly because: readonly string[];
  /** Nothing is known of these: their log is not there, does not replay, or nobody has looked. */
  readonly missing: number;
}

/** Names the file to which every process of a test run adds its notes, a line each (vitest-setup.ts). */
export const NOTES_VARIABLE = "MILLRACE_AGENT_LOGS";

const notes: LogNote[] = [];

/** Notes are taken where processes are started, and where logs are replayed: the one place does not know of the other. */
export function noteOfLog(note: LogNote): void {
  notes.push(note);
  const file = process.env[NOTES_VARIABLE];
  // One write of O_APPEND: lines of processes that run at the same time do not mix (write(2)).
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(note)}\n`);
}

/** How many notes this process has taken: where an account may begin. */
export const notesSoFar = (): number => notes.length;

/** Of this process, from the given number of notes on. */
export const accountSince = (from: number): LogAccount => accountOf(notes.slice(from));

/** Whether a command line runs the agent, by whatever wrapper. */
export const isAgent = (args: readonly string[]): boolean => args.includes("agent") && args.includes("--config");

export function accountOf(notes: readonly LogNote[]): LogAccount {
  const of = <K extends LogNote["kind"]>(kind: K) =>
    notes.filter((note): note is Extract<LogNote, { kind: K }> => note.kind === kind);
  const agents = (some: readonly { readonly agents: number }[]) => some.reduce((sum, note) => sum + note.agents, 0);
  const [started, refused, none] = [of("started").length, of("refused").length, agents(of("none"))];
  const replayed = agents(of("replayed"));
  return {
    started,
    refused,
    replayed,
    logs: of("replayed").length,
    events: of("replayed").reduce((sum, { events }) => sum + events, 0),
    none,
    because: [...new Set(of("none").map(({ because }) => because))],
    missing: started - refused - replayed - none,
  };
}

/** One line; what is not there is at its end, in capitals. */
export function describeAccount(account: LogAccount): string {
  const { started, refused, replayed, logs, events, none, because, missing } = account;
  const parts = [
    `${counted(started, "agent")} started`,
    ...(refused > 0 ? [`${refused} refused to serve`] : []),
    `${replayed} verified in ${counted(logs, "log")} with ${counted(events, "event")}`,
    ...(none > 0 ? [`${none} without a log (${because.join("; ")})`] : []),
    ...(missing === 0 ? [] : [`${missing} NOT VERIFIED`]),
  ];
  return `event logs: ${parts.join(", ")}`;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
