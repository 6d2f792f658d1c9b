import { expect, test } from "vitest";
import { parseVerifierStatistics } from "./verifier-statistics.ts";

const said = (name: string, text: string) =>
  `libbpf: prog '${name}': -- BEGIN PROG LOAD LOG --\n${text}\n-- END PROG LOAD LOG --\n`;

test("what kernels print of each program", () => {
  const one = `0: R1=ctx() R10=fp0
verification time 117 usec
stack depth 16+0
processed 45 insns (limit 1000000) max_states_per_insn 1 total_states 4 peak_states 3 mark_read 2`;
  const other = "processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0";
  expect(parseVerifierStatistics(said("one", one) + said("other", other))).toEqual(
    new Map([
      ["one", { instructions: 45, limit: 1_000_000, peakStates: 3, stackDepths: [16, 0] }],
      ["other", { instructions: 2, limit: 1_000_000, peakStates: 0, stackDepths: [] }],
    ]),
  );
});

test("other words are none", () => {
  expect(parseVerifierStatistics(said("one", "all is well")).size).toBe(0);
  expect(parseVerifierStatistics("").size).toBe(0);
});
