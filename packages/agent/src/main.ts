#!/usr/bin/env node
import { Output } from "./cli/output.ts";
import { buildProgram } from "./cli/program.ts";
import { reportError } from "./cli/report-error.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";

const stop = new AbortController();
const abort = (reason: string) => stop.abort(new Error(reason));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => abort(signal));

const readerGone = () => abort("nobody reads the output");
const io = {
  out: new Output(process.stdout, process.env, readerGone),
  err: new Output(process.stderr, process.env, () => undefined),
  env: process.env,
  signal: stop.signal,
};

let code: ExitCode = EXIT.ok;
try {
  const program = buildProgram(io, (result) => {
    code = result;
  });
  if (process.argv.length <= 2) program.help({ error: true });
  await program.parseAsync(process.argv);
} catch (error) {
  code = await reportError(error, io.err, process.argv.includes("--debug"));
}
// Not process.exit(): what is still to be written to a pipe would be lost.
process.exitCode = code;
