import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Composition, token } from "./container.ts";

interface Clock {
  now(): number;
}
interface Log {
  info(text: string): void;
}

const clock = token<Clock>("clock");
const log = token<Log>("log");
const agent = token<{ readonly text: string }>("agent");

test("parts are made once, from the parts they need, in the order they are named", async () => {
  let made = 0;
  const said: string[] = [];
  const parts = new Composition()
    .value(clock, { now: () => 42 })
    .bind(log, [], () => {
      made += 1;
      return { info: (text) => void said.push(text) };
    })
    .bind(agent, [log, clock], async (theLog, theClock) => {
      theLog.info("made");
      return { text: String(theClock.now()) };
    });
  expect(await parts.get(agent)).toBe(await parts.get(agent));
  await parts.get(log);
  expect((await parts.get(agent)).text).toBe("42");
  expect({ made, said }).toEqual({ made: 1, said: ["made"] });
});

test("a factory's failure is told as it is", async () => {
  const parts = new Composition().bind(clock, [], () => Promise.reject(new Error("no clock")));
  await expect(parts.get(clock)).rejects.toThrow("no clock");
});

test("a part that nobody binds is an error with its name", async () => {
  await expect(new Composition().bind(agent, [log], () => ({ text: "" })).get(agent)).rejects.toThrow(/log/);
});

// The compiler is what is tested here (`tsc -b` checks this file): each line must be an error.
test("swapped, missing and wrong parts do not compile", () => {
  const parts = new Composition();
  const make = (theLog: Log, theClock: Clock) => ({ text: `${theLog}${theClock.now()}` });
  parts.bind(agent, [log, clock], make);
  const wrong = () => {
    // @ts-expect-error swapped dependencies
    parts.bind(agent, [clock, log], make);
    // @ts-expect-error a missing dependency
    parts.bind(agent, [log], make);
    // @ts-expect-error a factory that makes something else
    parts.bind(agent, [], () => 42);
    // @ts-expect-error a value of another type
    parts.value(clock, { info: () => undefined });
  };
  expect(wrong).toBeTypeOf("function");
});

test("no other file imports inversify", () => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" }).filter((file) =>
    /\.ts$/.test(file),
  );
  const importers = files.filter((file) =>
    /from "inversify"/.test(readFileSync(join(import.meta.dirname, file), "utf8")),
  );
  expect(importers.filter((file) => !file.endsWith(".test.ts"))).toEqual(["container.ts"]);
});
