import { expect, test } from "vitest";
import { silentLogger } from "../logger.ts";
import { Lifecycle, type Part } from "./lifecycle.ts";

function parts(...names: string[]) {
  const calls: string[] = [];
  const made: Record<string, Part> = {};
  for (const name of names) {
    made[name] = {
      name,
      start: () => void calls.push(`start ${name}`),
      stop: async () => void calls.push(`stop ${name}`),
    };
  }
  return { calls, made, lifecycle: new Lifecycle(Object.values(made), silentLogger) };
}

test("parts start in order and stop in reverse, once", async () => {
  const { calls, lifecycle } = parts("log", "engine", "sockets");
  await lifecycle.start();
  await lifecycle.stop();
  await lifecycle.stop();
  expect(calls).toEqual(["start log", "start engine", "start sockets", "stop sockets", "stop engine", "stop log"]);
});

test("a start that fails half way is undone in reverse; the part that failed is not stopped", async () => {
  const { calls, made, lifecycle } = parts("log", "engine", "sockets", "never");
  const cause = new Error("address in use");
  Object.assign(made.sockets as Part, { start: () => Promise.reject(cause) });
  await expect(lifecycle.start()).rejects.toMatchObject({
    code: "ERR_START_FAILED",
    message: "sockets did not start: address in use",
    cause,
  });
  expect(calls).toEqual(["start log", "start engine", "stop engine", "stop log"]);
});

test("a part that does not stop does not keep the others from stopping, and is told", async () => {
  const { calls, made, lifecycle } = parts("log", "engine", "sockets");
  Object.assign(made.engine as Part, { stop: () => Promise.reject(new Error("busy")) });
  await lifecycle.start();
  await expect(lifecycle.stop()).rejects.toMatchObject({
    code: "ERR_STOP_FAILED",
    message: "engine did not stop: busy",
  });
  expect(calls.slice(3)).toEqual(["stop sockets", "stop log"]);
});

test("undoing a start may fail as well; both are told", async () => {
  const { made, lifecycle } = parts("log", "engine");
  Object.assign(made.log as Part, { stop: () => Promise.reject(new Error("busy")) });
  Object.assign(made.engine as Part, { start: () => Promise.reject(new Error("no")) });
  await expect(lifecycle.start()).rejects.toThrow(
    /engine did not start: no; and undoing the start failed: log did not stop: busy/,
  );
});
