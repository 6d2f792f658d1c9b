import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { EXIT } from "../exit-codes.ts";
import { environment } from "../testing/millrace.ts";

// Node starts once for each.
vi.setConfig({ testTimeout: 180_000 });

const PACKAGES = join(import.meta.dirname, "..", "..", "..");
const MAIN = join(PACKAGES, "agent/dist/main.js");
const CHANGED_LINE = join(import.meta.dirname, "..", "testing", "changed-line.ts");
const INCIDENTS = join(PACKAGES, "..", "test", "incidents");
const logs = readdirSync(INCIDENTS).filter((name) => name.endsWith(".jsonl"));

/** `millrace replay --verify --json`: a line for each log. */
const resultSchema = z.object({
  log: z.string(),
  events: z.number(),
  differences: z.array(z.object({ kind: z.string(), seq: z.int().positive() })),
});

interface Mutant {
  /** Of core, as it is compiled. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** The command as it is installed, with that one line changed, on every golden incident. */
function verify(mutant?: Mutant) {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: run make build`);
  const changed = mutant === undefined ? [] : ["--import", CHANGED_LINE];
  const args = [...changed, MAIN, "replay", "--verify", "--json", ...logs.map((name) => join(INCIDENTS, name))];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    env: environment(mutant === undefined ? {} : { CHANGED_LINE: JSON.stringify(mutant) }),
  });
  expect(stderr).toBe("");
  const results = stdout
    .trimEnd()
    .split("\n")
    .map((line) => resultSchema.parse(JSON.parse(line)));
  expect(results).toHaveLength(logs.length);
  const differ = results.flatMap(({ log, differences }) => differences.map(({ seq }) => [basename(log), seq] as const));
  return { status, differ };
}

test("with the decisions as they are, nothing differs", () => {
  expect(verify()).toEqual({ status: EXIT.ok, differ: [] });
});

test.each<Mutant & { what: string; foundIn: string }>([
  {
    what: "what failed or drifted is not asked for again",
    file: "decide/decide.js",
    from: "return same && !state.again.has(subject) &&",
    to: "return same &&",
    foundIn: "drift-mended.jsonl",
  },
  {
    what: "after a restart the proxies are decided before they are known",
    file: "decide/decide.js",
    from: "if (hold || (nothing && unasked))",
    to: "if (nothing && unasked)",
    foundIn: "killed-and-adopted.jsonl",
  },
  {
    what: "who leaves is not removed",
    file: "decide/decide.js",
    from: '"remove", spec',
    to: '"apply", spec',
    foundIn: "killed-and-adopted.jsonl",
  },
  {
    what: "members are those without the label",
    file: "decide/membership.js",
    from: "labels[key] === value",
    to: "labels[key] !== value",
    foundIn: "proxy-replaced.jsonl",
  },
  {
    what: "the oldest proxy wins",
    file: "decide/proxies.js",
    from: "byCodeUnit(b.pod.createdAt, a.pod.createdAt)",
    to: "byCodeUnit(a.pod.createdAt, b.pod.createdAt)",
    foundIn: "proxy-replaced.jsonl",
  },
  {
    what: "nobody drains",
    file: "decide/proxies.js",
    from: "still.slice(0, MAX_DRAINING)",
    to: "[]",
    foundIn: "proxy-replaced.jsonl",
  },
  {
    what: "connections from before are reset",
    file: "decide/workload.js",
    from: '?? "drain"',
    to: '&& "reset"',
    foundIn: "disk-full.jsonl",
  },
  {
    what: "a retry that is due touches nothing",
    file: "decide/touched.js",
    from: 'case "retry.due":',
    to: 'case "retry.overdue":',
    foundIn: "backend-without-room.jsonl",
  },
  {
    what: "drift that was found touches nothing",
    file: "decide/touched.js",
    from: 'case "drift.found":',
    to: 'case "drift.sought":',
    foundIn: "drift-mended.jsonl",
  },
  {
    what: "an intent names the event after its cause",
    file: "decide/step.js",
    from: "seq: before.seq + 1",
    to: "seq: before.seq + 2",
    foundIn: "schema-1.jsonl",
  },
])("one changed line, $file: $what", ({ foundIn, ...mutant }) => {
  const { status, differ } = verify(mutant);
  expect(status).toBe(EXIT.differs);
  expect(differ.map(([log]) => log)).toContain(foundIn);
});
