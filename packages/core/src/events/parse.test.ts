import { expect, test } from "vitest";
import { CoreError } from "../errors.ts";
import { pod, veth } from "../testing/scenario.ts";
import { eventSchemas, eventTypes } from "./event.ts";
import { inputs } from "./inputs.ts";
import { parseInput, parseRecord } from "./parse.ts";
import { subjects, workloadUid } from "./subjects.ts";

test("every type of the vocabulary has a schema", () => {
  expect(eventTypes).toEqual(
    [
      "agent.started agent.stopped backend.selected discovery.failed drift.found drift.mended host.addresses",
      "interface.added interface.removed link.changed log.gap namespace.observed namespace.removed node.observed",
      "pod.observed pod.removed proxies.found redirection.applied redirection.failed redirection.removed redirection.requested",
      "resync.due retry.due state.snapshot switch.requested watch.lost watch.synced",
    ].flatMap((line) => line.split(" ")),
  );
  expect(Object.keys(eventSchemas)).toHaveLength(eventTypes.length);
});

test("an input comes back with its addresses canonical and its Ethernet address in lower case", () => {
  const raw = veth(1, { addresses: ["2001:0002::A", "198.18.0.1", "::ffff:198.18.0.1"], mac: "02:00:00:00:00:AB" });
  expect(parseInput(raw).data).toMatchObject({ addresses: ["198.18.0.1", "2001:2::a"], mac: "02:00:00:00:00:ab" });
});

test.each<[string, unknown, RegExp]>([
  ["a type that is none", { type: "pod.exploded", subject: "x", data: {} }, /unknown event type "pod.exploded"/],
  ["a field that is none", { ...pod(1), data: { ...pod(1).data, image: "x" } }, /pod.observed: .*image/s],
  ["a field that is missing", { ...pod(1), data: { uid: "x" } }, /namespace/],
  ["an address that is none", inputs.hostAddresses(["node-1"]), /not an IP address: "node-1"/],
  ["a subject that is empty", { ...pod(1), subject: "" }, /subject/],
  ["drift without a problem", { type: "drift.found", subject: "node", data: { problems: [] } }, /problems/],
  ["a seq from outside", { ...pod(1), seq: 1 }, /seq/],
])("%s is refused with a reason", (_, value, reason) => {
  const refused = catchError(() => parseInput(value));
  expect(refused.code).toBe("ERR_EVENT_INVALID");
  expect(refused.message).toMatch(reason);
});

test("a row needs its place and its time", () => {
  const time = "2026-01-01T00:00:00.000Z";
  expect(parseRecord({ seq: 1, time, ...pod(1) })).toEqual({ seq: 1, time, ...pod(1) });
  expect(() => parseRecord({ time, ...pod(1) })).toThrow(/seq/);
  expect(() => parseRecord({ seq: 1, time: "yesterday", ...pod(1) })).toThrow(/time/);
});

test("an intent's spec must be the one of its action", () => {
  const apply = {
    type: "redirection.requested",
    subject: "workload/x",
    data: { cause: 1, action: "apply", spec: { uid: "x" } },
  };
  expect(() => parseInput(apply)).toThrow(/redirection.requested/);
  expect(() => parseInput({ ...apply, data: { ...apply.data, action: "remove" } })).not.toThrow();
});

test("subjects are made and read in one place", () => {
  expect(workloadUid(subjects.workload("a/b"))).toBe("a/b");
  expect(workloadUid(subjects.pod("a"))).toBeUndefined();
  expect(workloadUid(subjects.proxies)).toBeUndefined();
});

function catchError(work: () => unknown): CoreError {
  try {
    work();
  } catch (error) {
    if (error instanceof CoreError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
