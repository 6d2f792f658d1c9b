import { expect, test } from "vitest";
import { PluginTroubles } from "./plugin-troubles.ts";

test("each plugin's failures are counted by its name, with the last of them", () => {
  let second = 0;
  const troubles = new PluginTroubles(() => {
    second += 1;
    return `2026-01-02T03:00:0${second}.000Z`;
  });
  expect(troubles.all).toEqual([]);
  troubles.failed("mine", "ENODEV", "mine: apply shop/web: no such device");
  troubles.failed("ebpf", "ERR_DEADLINE", "ebpf: observe: did not finish within 25000 ms");
  troubles.ended("mine", "it ended with SIGSEGV");
  expect(troubles.all).toEqual([
    {
      name: "ebpf",
      failures: 1,
      ends: 0,
      time: "2026-01-02T03:00:02.000Z",
      code: "ERR_DEADLINE",
      message: "ebpf: observe: did not finish within 25000 ms",
    },
    {
      name: "mine",
      failures: 1,
      ends: 1,
      time: "2026-01-02T03:00:03.000Z",
      code: "ERR_PLUGIN_PROCESS",
      message: "it ended with SIGSEGV",
    },
  ]);
});
