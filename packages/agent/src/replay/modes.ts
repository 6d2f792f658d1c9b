import { createInterface } from "node:readline/promises";
import {
  type Difference,
  initialState,
  replay,
  type State,
  toSnapshot,
  verify,
  type WorkloadStatus,
} from "@millrace/core/internal";
import type { Io } from "../cli/output.ts";
import { acceptDecisions } from "./accept.ts";
import { mergeByTime } from "./merge-by-time.ts";
import { momentLine } from "./moment-line.ts";
import { openRecording } from "./recording.ts";
import { renderDifference } from "./render-difference.ts";
import { renderResult } from "./render-result.ts";
import { renderState } from "./render-state.ts";
import { Stepper } from "./stepper.ts";
import { Story } from "./story.ts";

/** What `millrace replay` does, by its options. Each returns whether nothing differed. */

interface View {
  readonly pod?: string;
  readonly json?: boolean;
}

const jsonl = (value: object): string => `${JSON.stringify(value)}\n`;
const nameIn = (paths: readonly string[], name: string): string | undefined => (paths.length > 1 ? name : undefined);

export async function verifyLogs(paths: readonly string[], io: Io, json: boolean): Promise<boolean> {
  let same = true;
  for (const path of paths) {
    using recording = openRecording(path);
    const result = verify(recording.rows(), recording.last);
    same &&= result.differences.length === 0;
    if (json) {
      await io.out.write(jsonl({ log: path, ...result }));
      continue;
    }
    for (const difference of result.differences) await io.out.write(renderDifference(difference, io.out.palette));
    await io.out.write(renderResult(result, io.out.palette, nameIn(paths, recording.name)));
  }
  return same;
}

/** The timeline of all logs, by time. */
export async function tellStory(paths: readonly string[], io: Io, { pod, json = false }: View): Promise<boolean> {
  return withStories(paths, pod, async (stories) => {
    const { palette } = io.out;
    let before: number | undefined;
    for (const { recording, moment, difference } of mergeByTime(stories.map((story) => story.items()))) {
      if (!io.out.open) break;
      if (moment !== undefined) {
        const time = Date.parse(moment.time);
        const since = before === undefined ? undefined : time - before;
        const node = stories.length > 1 ? moment.node || recording.name : undefined;
        await io.out.write(json ? jsonl({ log: recording.path, ...moment }) : momentLine(moment, since, palette, node));
        before = time;
      }
      if (difference !== undefined) await writeDifference(io, recording.path, difference, json);
    }
    return writeResults(stories, paths, io, json);
  });
}

/** Only the places that differ. */
export async function diffLogs(paths: readonly string[], io: Io, { pod, json = false }: View): Promise<boolean> {
  return withStories(paths, pod, async (stories) => {
    for (const story of stories) {
      for (const { recording, difference } of story.items()) {
        if (difference !== undefined) await writeDifference(io, recording.path, difference, json);
      }
    }
    return writeResults(stories, paths, io, json);
  });
}

export async function accept(path: string, io: Io): Promise<boolean> {
  const differences = acceptDecisions(path);
  for (const difference of differences) await writeDifference(io, path, difference, false);
  await io.out.write(
    differences.length === 0 ? "nothing to accept: same decisions\n" : `${path}: today's decisions are recorded\n`,
  );
  return true;
}

export async function showState(path: string, until: number, io: Io, { pod, json = false }: View): Promise<boolean> {
  using recording = openRecording(path);
  let state: State = initialState;
  for (const { input, after } of replay(recording.rows())) {
    if (input.seq > until) break;
    state = after;
  }
  const fits = ({ uid, namespace, name }: WorkloadStatus) => [name, `${namespace}/${name}`, uid].includes(pod ?? "");
  await (json
    ? io.out.write(jsonl({ seq: state.seq, ...toSnapshot(state) }))
    : io.out.write(renderState(state, io.out.palette, pod === undefined ? undefined : fits)));
  return true;
}

/** Commands come from standard input, one a line; a terminal is prompted. */
export async function stepThrough(path: string, io: Io): Promise<boolean> {
  using recording = openRecording(path);
  const stepper = new Stepper(recording, io.out.palette);
  const commands = createInterface({ input: process.stdin });
  const prompt = () => io.out.write(io.out.isTerminal ? io.out.palette.dim("(h for help) > ") : "");
  await prompt();
  for await (const command of commands) {
    const shown = stepper.run(command);
    if (shown === undefined || !io.out.open) break;
    await io.out.write(shown);
    await prompt();
  }
  commands.close();
  return true;
}

async function withStories(
  paths: readonly string[],
  pod: string | undefined,
  tell: (stories: readonly Story[]) => Promise<boolean>,
): Promise<boolean> {
  using open = new DisposableStack();
  return await tell(paths.map((path) => new Story(open.use(openRecording(path)), pod)));
}

async function writeDifference(io: Io, log: string, difference: Difference, json: boolean): Promise<void> {
  await io.out.write(
    json ? jsonl({ log, kind: "difference", difference }) : renderDifference(difference, io.out.palette),
  );
}

async function writeResults(
  stories: readonly Story[],
  paths: readonly string[],
  io: Io,
  json: boolean,
): Promise<boolean> {
  for (const { recording, tally } of stories) {
    const { result } = tally;
    await io.out.write(
      json
        ? jsonl({ log: recording.path, kind: "result", ...result })
        : renderResult(result, io.out.palette, nameIn(paths, recording.name)),
    );
  }
  return stories.every(({ tally }) => tally.result.differences.length === 0);
}
