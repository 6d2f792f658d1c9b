import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import type { LabHost } from "../lab/lab-host.ts";
import { Expect } from "./expect.ts";
import { SteadyDialling } from "./steady-dialling.ts";

it("brings nothing down when its client is ended and nobody has asked yet how it went", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  onTestFinished(() => void process.off("unhandledRejection", note));
  const ask = async (verb: string) => {
    if (verb === "startStreams") return { handle: 1 };
    throw new Error("endpoint ended during a request");
  };
  const host = { endpoint: async () => ({ ask }) } as unknown as LabHost;
  const dialling = await SteadyDialling.start(host, [{ host: "198.18.1.1", port: 1 }]);
  await sleep(20);
  expect(unhandled).toEqual([]);
  await expect(dialling.expectUnbroken(new Expect())).rejects.toThrow("ended during a request");
});
