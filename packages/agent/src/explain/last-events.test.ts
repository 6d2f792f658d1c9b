import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventLog, type EventRecord, silentLogger, subjects } from "@millrace/core/internal";
import { afterEach, beforeEach, expect, test } from "vitest";
import { paletteFor } from "../cli/colour.ts";
import { recordedDay, UID } from "../testing/recorded-day.ts";
import { lastEvents } from "./last-events.ts";
import { renderExplanation } from "./render-explanation.ts";

const WORKLOAD = subjects.workload(UID);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-explain-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

async function logged(records: readonly EventRecord[]): Promise<string> {
  const path = join(directory, "events.db");
  await using log = await EventLog.open({
    path,
    appendDeadlineMs: 60_000,
    openDeadlineMs: 60_000,
    keepEvents: 1000,
    log: silentLogger,
  });
  expect(await log.append(records)).toBe("logged");
  return path;
}

const { records } = recordedDay();
const untilEnrolled = records.slice(0, records.findIndex(({ type }) => type === "redirection.applied") + 1);
const [intent] = records.filter(
  (record): record is EventRecord<"redirection.requested"> => record.type === "redirection.requested",
);

test("what decided is the first intent of a row that asks for the same, and what it answered: not a retry", async () => {
  const path = await logged(untilEnrolled);
  const { events, decisions } = lastEvents(path, [subjects.pod(UID), WORKLOAD, subjects.proxies]);
  expect(events.map(({ type }) => type)).toEqual(["pod.observed", "redirection.applied"]);
  expect(untilEnrolled.filter(({ type }) => type === "redirection.requested")).toHaveLength(2);
  const cause = records.find(({ seq }) => seq === intent?.data.cause);
  expect(decisions).toEqual([{ intent, cause }]);

  const document = {
    pod: { uid: UID, namespace: "shop", name: "web-1", addresses: [] },
    membership: "member" as const,
    subjects: [],
  };
  const text = renderExplanation(document, { events, decisions }, paletteFor({}, {}));
  expect(text).toContain(
    `  decided by event ${intent?.seq}: apply ${WORKLOAD}, because of event ${cause?.seq} ${cause?.type} ${cause?.subject}\n`,
  );
});

test("when something else was asked for since, that is what decided", async () => {
  const path = await logged(records);
  const [decision] = lastEvents(path, [WORKLOAD]).decisions;
  expect(decision?.intent.data.action).toBe("remove");
  expect(decision?.cause?.type).toBe("pod.removed");
});

test("an event that the log does not have any more is named by its number", async () => {
  const path = await logged(untilEnrolled.filter(({ seq }) => seq >= (intent?.seq ?? 0)));
  expect(lastEvents(path, [WORKLOAD]).decisions).toEqual([{ intent }]);
});
