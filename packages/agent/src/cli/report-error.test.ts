import { Writable } from "node:stream";
import { CoreError } from "@millrace/core/internal";
import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { z } from "zod";
import { AgentError } from "../errors.ts";
import { EXIT } from "../exit-codes.ts";
import { Output } from "./output.ts";
import { exitCodeOf, reportError } from "./report-error.ts";

async function told(error: unknown, debug = false) {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const code = await reportError(error, new Output(stream, {}, () => undefined), debug);
  return { code, text };
}

const coded = (code: string, message: string, cause?: unknown) =>
  Object.assign(new Error(message, cause === undefined ? {} : { cause }), { code });

test.each<[string, unknown, number]>([
  ["an agent that runs", new AgentError("ERR_AGENT_RUNNING", "x"), EXIT.conflict],
  ["a full disk", coded("ENOSPC", "x"), EXIT.unexpected],
  ["a stuck agent", new AgentError("ERR_AGENT_STUCK", "x"), EXIT.notRunning],
  ["no agent", new AgentError("ERR_AGENT_NOT_RUNNING", "x"), EXIT.notRunning],
  ["a mistake in the configuration", new CoreError("ERR_CONFIG_INVALID", "x"), EXIT.usage],
  ["no capable backend", new CoreError("ERR_NO_CAPABLE_BACKEND", "x"), EXIT.notCapable],
  ["what the kernel refuses", coded("EPERM", "x"), EXIT.notCapable],
  ["a wrapped one", new CoreError("ERR_START_FAILED", "x", { cause: coded("EPERM", "y") }), EXIT.notCapable],
  ["a busy kernel", coded("EBUSY", "x"), EXIT.unexpected],
  ["anything", "a string", EXIT.unexpected],
  ["commander's usage errors", new CommanderError(1, "commander.unknownOption", "x"), EXIT.usage],
  ["commander's help", new CommanderError(0, "commander.help", "x"), EXIT.ok],
])("%s", (_name, error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});

test("code, message, hint; no stack", async () => {
  const { text } = await told(new AgentError("ERR_NOT_PERMITTED", "root only"));
  expect(text).toBe(
    "error ERR_NOT_PERMITTED: root only\nhint  Run as root, or with the capabilities that `millrace doctor` lists.\n",
  );
});

test("a failed start is told by what failed", async () => {
  const cause = new CoreError("ERR_REDIRECT_MODE_UNKNOWN", "no such plugin");
  const { text } = await told(
    new CoreError("ERR_START_FAILED", "redirection did not start: no such plugin", { cause }),
  );
  expect(text).toMatch(/^error ERR_REDIRECT_MODE_UNKNOWN: redirection did not start: no such plugin\nhint {2}/);
});

test("causes are told once, and a schema's own list is not", async () => {
  const chain = coded("EIO", "log is lost", new Error("disk", { cause: new Error("disk") }));
  expect((await told(chain)).text).toContain("error EIO: log is lost: disk\n");
  const cause = z.string().safeParse(1).error;
  expect((await told(new CoreError("ERR_CONFIG_INVALID", "a is no setting", { cause }))).text).toMatch(
    /^error ERR_CONFIG_INVALID: a is no setting\n/,
  );
});

test("--debug adds the stacks of the whole chain", async () => {
  const { text } = await told(new Error("outer", { cause: new Error("inner") }), true);
  expect(text).toMatch(/Error: outer\n\s+at .*caused by Error: inner\n\s+at /s);
});
