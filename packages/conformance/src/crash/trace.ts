/** One system call as strace(1) told of it. */
export interface TracedCall {
  /** The thread that made it. */
  readonly tid: number;
  readonly name: string;
  /** Its arguments as printed. */
  readonly args: string;
  /** What it returned as printed, without remarks; `?` when it never did. */
  readonly result: string;
  /** strace held it back at its return, as it was told to. */
  readonly delayed: boolean;
}

const WHOLE = /^(?<name>\w+)\((?<args>.*)\)\s+= (?<result>-?\w+|\?)(?<remark>.*)$/s;
const UNFINISHED = /^(?<name>\w+)\((?<args>.*) <unfinished \.\.\.>$/s;
const RESUMED = /^<\.\.\. (?<name>\w+) resumed>(?<args>.*)\)\s+= (?<result>-?\w+|\?)(?<remark>.*)$/s;

/**
 * Reads what `strace -o` wrote, in the order in which the calls began. With `threads` each line begins with the thread's id (`-f`), and a
 * call that another thread's came into is told in two pieces; without, all lines are of `tid`.
 */
export function parseTrace(text: string, tid?: number): TracedCall[] {
  const calls: (TracedCall | undefined)[] = [];
  const unfinished = new Map<number, { index: number; name: string; args: string }>();
  for (const line of text.split("\n")) {
    const numbered = tid === undefined ? /^(\d+) +(.*)$/s.exec(line) : [line, String(tid), line];
    if (numbered === null) continue;
    const [, who = "", what = ""] = numbered;
    const thread = Number(who);
    const whole = WHOLE.exec(what)?.groups;
    const begun = UNFINISHED.exec(what)?.groups;
    const resumed = RESUMED.exec(what)?.groups;
    if (begun !== undefined) {
      unfinished.set(thread, { index: calls.length, name: begun.name ?? "", args: begun.args ?? "" });
      calls.push(undefined);
    } else if (resumed !== undefined) {
      const first = unfinished.get(thread);
      unfinished.delete(thread);
      if (first !== undefined)
        calls[first.index] = call(thread, first.name, `${first.args}${resumed.args ?? ""}`, resumed);
    } else if (whole !== undefined) {
      calls.push(call(thread, whole.name ?? "", whole.args ?? "", whole));
    }
  }
  for (const [thread, { index, name, args }] of unfinished) {
    calls[index] = { tid: thread, name, args, result: "?", delayed: false };
  }
  return calls.filter((made) => made !== undefined);
}

function call(
  tid: number,
  name: string,
  args: string,
  { result = "?", remark = "" }: Record<string, string>,
): TracedCall {
  return { tid, name, args: args.trimEnd(), result, delayed: remark.includes("(DELAYED)") };
}
