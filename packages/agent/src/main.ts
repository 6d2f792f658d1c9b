#!/usr/bin/env -S node --max-semi-space-size=16
import { Interruption } from "./cli/interruption.ts";
import { Output } from "./cli/output.ts";
import { buildProgram } from "./cli/program.ts";
import { reportError } from "./cli/report-error.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";

// Before anything uses libuv's pool, which has four threads else (docs.libuv.org, threadpool). Most of what is done there waits for rtnetlink's lock: with
// ten pods at once, each of whose two attachments and three look-ups waits for it, four threads would be a queue before the lock's own.
process.env.UV_THREADPOOL_SIZE ??= "16";

const interruption = new Interruption();
const io = {
  out: new Output(process.stdout, process.env, () => interruption.abort("nobody reads the output")),
  err: new Output(process.stderr, process.env, () => undefined),
  env: process.env,
  get signal() {
    return interruption.signal;
  },
};

let code: ExitCode = EXIT.ok;
let failure: unknown;
try {
  const program = buildProgram(io, (result) => {
    code = result;
  });
  if (process.argv.length <= 2) program.help({ error: true });
  await program.parseAsync(process.argv);
} catch (error) {
  failure = error;
}
try {
  await io.out.finish();
} catch (error) {
  failure = error; // instead of what may have failed because of it
}
if (failure !== undefined) code = await reportError(failure, io.err, process.argv.includes("--debug"));
// Not process.exit(): what is still to be written to a pipe would be lost.
process.exitCode = code;
