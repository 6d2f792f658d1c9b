import { describe, expect, it } from "vitest";
import { configSchema } from "./config.ts";

describe("configuration", () => {
  it("has a default for everything", () => {
    expect(configSchema.parse(undefined)).toEqual({
      attach: "auto",
      clsact: { priority: 1, handle: 0x4d52 },
      routing: { table: 15_001, priority: 20_000 },
      maxWorkloads: 1024,
      maxMembers: 4096,
      maxAddresses: 1024,
      maxExclusions: 4096,
      pins: "millrace",
      drainSeconds: 600,
      releaseSeconds: 5,
      acceleration: "off",
      accelerationCgroup: "auto",
    });
  });

  it("keeps the other defaults when one value is given", () => {
    expect(configSchema.parse({ clsact: { priority: 5 } }).clsact).toEqual({ priority: 5, handle: 0x4d52 });
  });

  it.each([
    ["an unknown key", { atach: "tcx" }],
    ["an unknown mode", { attach: "xdp" }],
    ["an unknown key further in", { routing: { tables: 1 } }],
    ["a pin directory with a dot, which bpffs refuses", { pins: "mill.race" }],
    ["a priority after the main table's rule", { routing: { priority: 32_766 } }],
    ["no room for workloads", { maxWorkloads: 0 }],
    ["a negative drain", { drainSeconds: -1 }],
  ])("refuses %s", (_, value) => {
    expect(configSchema.safeParse(value).success).toBe(false);
  });
});
