import { join } from "node:path";
import { inputs, openPortableLog, replay } from "@millrace/core/internal";
import { expect, test } from "vitest";
import { paletteFor } from "../cli/colour.ts";
import { RecordedRun } from "../testing/recorded-day.ts";
import { renderState } from "./render-state.ts";

const selected = inputs.backendSelected({ mode: "auto", backend: "ebpf", probes: [], reason: "first" });
const requested = inputs.switchRequested({ to: "iptables", mode: "auto", reason: "asked for" });

test("a switch that is under way: whence, where to, what of it, since when, why", () => {
  const shown = (...given: Parameters<RecordedRun["feed"]>) =>
    renderState(new RecordedRun().feed(selected, ...given).state, paletteFor({}, {}));
  expect(shown()).not.toContain("switch");
  expect(shown(requested)).toContain(
    "\nswitch from ebpf to iptables of everything since 2026-01-02T03:04:06.000Z: asked for\n",
  );
  const some = inputs.switchRequested({ ...requested.data, uids: ["uid-1", "uid-2"] });
  expect(shown(some)).toContain("\nswitch from ebpf to iptables of uid-1,uid-2 since ");
  const back = inputs.switchRequested({ ...requested.data, to: "ebpf" });
  expect(shown(requested, back)).toContain("\nswitch from ebpf to iptables of nothing any more since ");
});

test("a switch that was turned: because of what, and that it was given up when it is over", () => {
  const { rows } = openPortableLog(join(import.meta.dirname, "../../../../test/incidents/switched.jsonl"));
  const lines = [...replay(rows())].flatMap(({ after }) => renderState(after, paletteFor({}, {})).split("\n"));
  const because = "workload/uid-2: EBUSY: device or resource busy";
  expect(lines.filter((line) => line.includes(because))).toEqual(
    expect.arrayContaining([`turned because of ${because}`, `last switch given up: ${because}`]),
  );
});
