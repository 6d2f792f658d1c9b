import { LabError, type LabErrorCode } from "../errors.ts";

/** Nothing was run for these, and there is something to do about it first. */
const TOLD: readonly string[] = ["ERR_SUITE_USAGE", "ERR_LAB_NOT_ROOT", "ERR_HAPROXY_MISSING"] satisfies LabErrorCode[];

/** The exit status of a command; what it throws is printed: a mistake in usage, or what the machine lacks, by its message (2), anything else with its stack (1). */
export async function exitStatus(command: () => Promise<number>): Promise<number> {
  try {
    return await command();
  } catch (error) {
    const { code, message, stack } = error as NodeJS.ErrnoException;
    const isTold =
      (error instanceof LabError && TOLD.includes(error.code)) || /^ERR_(PARSE_ARGS|PLUGIN)_/.test(code ?? "");
    process.stderr.write(`${isTold ? message : (stack ?? error)}\n`);
    return isTold ? 2 : 1;
  }
}
