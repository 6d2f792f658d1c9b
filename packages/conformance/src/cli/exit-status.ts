import { LabError } from "../errors.ts";

/** The exit status of a command; what it throws is printed: a mistake in usage by its message (2), anything else with its stack (1). */
export async function exitStatus(command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    const isUsage = error instanceof LabError && error.code === "ERR_SUITE_USAGE";
    const { code, message, stack } = error as NodeJS.ErrnoException;
    const isTold = isUsage || /^ERR_(PARSE_ARGS|PLUGIN)_/.test(code ?? "");
    process.stderr.write(`${isTold ? message : (stack ?? error)}\n`);
    return isTold ? 2 : 1;
  }
}
