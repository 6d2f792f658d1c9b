import { Writable } from "node:stream";
import { Output } from "../cli/output.ts";
import { buildProgram } from "../cli/program.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";

/** Runs a command in this process: for commands that touch nothing but files. Rejects with what it throws. */
export async function runCommand(...args: readonly string[]): Promise<{ code: ExitCode; out: string; err: string }> {
  const written = { out: "", err: "" };
  const output = (to: keyof typeof written) => {
    const write = (chunk: Buffer, _: unknown, done: () => void) => {
      written[to] += chunk.toString();
      done();
    };
    return new Output(new Writable({ write }), {}, () => {});
  };
  const io = { out: output("out"), err: output("err"), env: {}, signal: new AbortController().signal };
  let code: ExitCode = EXIT.ok;
  await buildProgram(io, (result) => {
    code = result;
  }).parseAsync(["node", "millrace", ...args]);
  await io.out.finish();
  return { code, ...written };
}
