import { expect, test } from "vitest";
import { PAIRS } from "./operations.ts";
import { CrashReport } from "./report.ts";
import { crashVariant } from "./run.ts";
import { VARIANTS } from "./variants.ts";

/**
 * A share of `make test-crash`, another one every day; MILLRACE_SEED repeats one. Starting, installing and uninstalling,
 * and what else may go wrong, take most of its time and are left to it.
 */
const seed = Number(process.env.MILLRACE_SEED ?? Math.floor(Date.now() / 86_400_000));
const phase = (seed * 0.618_034) % 1;
const SHARE = PAIRS.filter(({ there }) => there.kind === "running");

test.each(VARIANTS.filter(({ name }) => name === "ebpf-tcx" || name === "iptables-nft"))(
  `$name comes to the same state wherever the agent was killed (seed ${seed})`,
  async (variant) => {
    const lines: string[] = [];
    const report = new CrashReport((line) => lines.push(line));
    await crashVariant(variant, SHARE, [], { points: 1, phase, matching: undefined }, report);
    expect(report.end(), lines.join("\n")).toBe(true);
  },
  1_800_000,
);
