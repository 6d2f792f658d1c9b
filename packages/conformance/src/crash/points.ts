import { netlinkChange } from "./netlink.ts";
import type { TracedCall } from "./trace.ts";

/** Which of the agent's threads: the one that runs JavaScript, the pool that system calls wait in, the one that writes the event log. */
export const ROLES = { main: "MainThread", pool: "libuv-worker", log: "event-log" } as const;
export type Role = keyof typeof ROLES;

/** What the agent did at one of its system calls that changes something outside it. */
export interface Change {
  readonly role: Role;
  readonly call: string;
  /** What it is about, for people, and to tell it from another call that has come to have its number. */
  readonly gist: string;
  /** Only calls on this file are counted; without it all of that name. */
  readonly path?: string;
  /** The how-manieth such call of its thread, from 1. */
  readonly ordinal: number;
  /** At which of its ends the agent can be killed. */
  readonly sides: readonly Side[];
}

/** `before`: the call is not made. `after`: it was made, and the agent does not learn of it. */
export type Side = "before" | "after";

export interface Point extends Change {
  readonly variant: string;
  readonly operation: string;
  readonly side: Side;
}

export const renderPoint = ({ variant, operation, role, gist, ordinal, side }: Point): string =>
  `${variant} × ${operation} × ${gist}${role === "main" ? "" : ` (${role})`} #${ordinal} × ${side}`;

/** Commands of bpf(2) that change something. */
const BPF_CHANGES =
  /^BPF_(MAP_CREATE|MAP_UPDATE_ELEM|MAP_DELETE_ELEM|MAP_UPDATE_BATCH|MAP_DELETE_BATCH|MAP_FREEZE|PROG_LOAD|OBJ_PIN|PROG_ATTACH|PROG_DETACH|LINK_CREATE|LINK_UPDATE|LINK_DETACH)\b/;
const NAMES = /^(mkdir|rmdir|rename|unlink|symlink|link)(at2?|at)?$/;
const SYNCS = /^(fsync|fdatasync|ftruncate)$/;
/** Programs that change something, by what they are told to do: of iptables(8) an option, of the others a word. */
const TOLD_BY_WORDS = /^(ip|tc|ipset|nft|conntrack)$/;
const CHANGING_WORDS = /(^|\s)(restore|-batch|-f|add|del|delete|replace|change|set|flush|destroy|create|swap)(\s|$)/;
const TOLD_BY_OPTIONS = /^ip6?tables/;
const CHANGING_OPTIONS = /-restore\b|\s-[ADIRFNXEZP]\s/;

const isChange = (file: string, told: string): boolean =>
  TOLD_BY_WORDS.test(file)
    ? CHANGING_WORDS.test(told) && !told.includes("--check")
    : TOLD_BY_OPTIONS.test(file) && CHANGING_OPTIONS.test(told);

/** All changes of one run, in order. `roles` are the threads to look at; programs are those that they start. */
export function changesOf(calls: readonly TracedCall[], roles: ReadonlyMap<number, Role>, root: string): Change[] {
  const programs = programsOf(calls);
  const counts = new Map<string, number>();
  const count = (...key: readonly (string | number)[]): number => {
    const name = key.join(" ");
    const next = (counts.get(name) ?? 0) + 1;
    counts.set(name, next);
    return next;
  };
  return calls.flatMap((call): Change[] => {
    const role = roles.get(call.tid);
    if (role === undefined) return [];
    const path = fileOf(call);
    const ordinal = count(call.tid, call.name);
    const ordinalOnFile = path === undefined ? 0 : count(call.tid, call.name, path);
    const both = ["before", "after"] as const;
    const change = (gist: string, sides: readonly Side[] = both): Change[] => [
      { role, call: call.name, gist, ordinal, sides },
    ];
    if (call.name === "bpf" && BPF_CHANGES.test(call.args)) return change(bpfGist(call.args));
    if (call.name === "sendto" || call.name === "sendmsg") {
      const message = netlinkChange(call.args);
      return message === undefined ? [] : change(`${call.name} ${message}`);
    }
    if (NAMES.test(call.name))
      return call.args.includes(root) ? change(`${call.name} ${lastPath(call.args, root)}`) : [];
    if (path !== undefined && (/^p?write(64)?$/.test(call.name) || SYNCS.test(call.name))) {
      if (!isWatched(path, role, root)) return [];
      return [
        {
          role,
          call: call.name,
          gist: `${call.name} ${shortened(path, root)}`,
          path,
          ordinal: ordinalOnFile,
          sides: both,
        },
      ];
    }
    // The child of its own before it is a program; and, by waiting, when the program has ended.
    const program = programs.get(Number(call.result));
    if (program === undefined) return [];
    if (/^(clone|clone3|vfork|fork)$/.test(call.name)) return change(`${call.name} ${program}`);
    return call.name === "wait4" ? change(`wait4 ${program}`, ["after"]) : [];
  });
}

/** The points of a run, each change at its ends. */
export const pointsOf = (variant: string, operation: string, changes: readonly Change[]): Point[] =>
  numbered(changes).flatMap((change) => change.sides.map((side) => ({ ...change, variant, operation, side })));

/**
 * Without those whose number is another one in each run: conntrack is told of one connection after the other, so of such calls the first can be met,
 * and none of its thread that comes behind it.
 */
function numbered(changes: readonly Change[]): Change[] {
  const uncertain = new Set<string>();
  return changes.filter(({ role, call, gist, path }) => {
    const counter = `${role} ${call}`;
    if (path === undefined && uncertain.has(counter)) return false;
    if (/ CT_(NEW|DELETE)$/.test(gist)) uncertain.add(counter);
    return true;
  });
}

/** So many of them, evenly spread; `phase`, from 0 to 1, says which: other ones are others' turn. */
export function spread<T>(all: readonly T[], count: number, phase: number): T[] {
  if (count >= all.length) return [...all];
  return Array.from({ length: count }, (_, index) => all[Math.floor(((index + phase) * all.length) / count)] as T);
}

/** Whether the call is the one that a point is about, as far as its arguments tell. */
export function isAt(point: Point, call: TracedCall, root: string): boolean {
  if (call.name !== point.call) return false;
  if (point.call === "bpf") return bpfGist(call.args) === point.gist;
  if (NAMES.test(point.call)) return `${call.name} ${lastPath(call.args, root)}` === point.gist;
  if (point.call === "sendto" || point.call === "sendmsg") {
    return `${call.name} ${netlinkChange(call.args)}` === point.gist;
  }
  return true;
}

function bpfGist(args: string): string {
  const command = BPF_CHANGES.exec(args)?.[0] ?? /^\w+/.exec(args)?.[0] ?? "";
  const details = [
    /\b(?:map_name|prog_name)="([^"]*)"/.exec(args)?.[1],
    /\bpathname="([^"]*)"/.exec(args)?.[1]?.split("/").slice(-3).join("/"),
    /\battach_type=(\w+)/.exec(args)?.[1],
  ];
  return [
    "bpf",
    command.replace(/^BPF_/, ""),
    ...details.filter((detail) => detail !== undefined && detail !== ""),
  ].join(" ");
}

/** The last path among the arguments, below the node's directory: where something is renamed or linked to. Relative ones follow their directory. */
function lastPath(args: string, root: string): string {
  const paths = [...args.matchAll(/(?:<(\/[^>]*)>, )?"([^"]*)"/g)].map(([, directory, path = ""]) =>
    directory === undefined || path.startsWith("/") ? path : `${directory}/${path}`,
  );
  return shortened(paths.findLast((path) => path.startsWith(root)) ?? "", root);
}

/** Pins and notes are named by uids and interfaces, and what is new by something random: none of it tells calls apart. */
const shortened = (path: string, root: string): string =>
  path
    .replace(`${root}/`, "")
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<uid>")
    .replaceAll(/\d{3,}/g, "<n>");

/** Of a call whose first argument is a descriptor: the file, as `strace -y` prints it. */
const fileOf = ({ args }: TracedCall): string | undefined => /^\d+<(\/[^>]*)>/.exec(args)?.[1];

/** The event log is written by its own thread; sysctls, the journal and other notes by any. */
const isWatched = (path: string, role: Role, root: string): boolean =>
  role === "log"
    ? path.startsWith(`${root}/events.db`)
    : path.startsWith("/proc/sys/") || path.startsWith(`${root}/journal`);

/** Programs that change something, by the process that ran them. */
function programsOf(calls: readonly TracedCall[]): Map<number, string> {
  const programs = new Map<number, string>();
  for (const { tid, name, args, result } of calls) {
    if (name !== "execve" || result !== "0") continue;
    const words = [...(/\[(.*?)\](, |$)/s.exec(args)?.[1] ?? "").matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(
      ([, word = ""]) => word,
    );
    const [program = "", ...rest] =
      words[0] === "nsenter" ? words.filter((word) => !word.startsWith("--net")).slice(1) : words;
    const file = program.split("/").at(-1) ?? "";
    const told = `${file} ${rest.join(" ")}`;
    if (isChange(file, told)) programs.set(tid, told.slice(0, 80).trim());
  }
  return programs;
}
