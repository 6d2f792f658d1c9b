import { errorMessage } from "@millrace/core/internal";
import type { Family } from "linux-ts";
import { z } from "zod";
import { CommandError } from "./command-error.ts";
import { type IpLink, type IpRoute, ipLink, ipRoute } from "./ip-schemas.ts";
import { type RunOptions, run } from "./run.ts";

type Where = Pick<RunOptions, "netns" | "signal" | "deadline">;

/**
 * Runs commands of ip(8), one a line without the leading `ip`, in one process. The first that fails ends it; those before it have had
 * their effect. An empty text runs nothing. `force` goes on to the end and then fails with the first line that was refused.
 */
export async function ipBatch(
  family: Family,
  text: string,
  { force = false, ...where }: Where & { readonly force?: boolean } = {},
): Promise<void> {
  if (text.trim() === "") return;
  const args = [`-${family}`, ...(force ? ["-force"] : []), "-batch", "-"];
  await run("ip", args, { ...where, input: text.endsWith("\n") ? text : `${text}\n` });
}

export const ipLinks = (where: Where = {}): Promise<IpLink[]> => query(["link", "show"], ipLink, where);

/** Routes of one table, or with `all` of every table. A table that has none answers []. */
export const ipRoutes = (family: Family, table: number | "all", where: Where = {}): Promise<IpRoute[]> =>
  query([`-${family}`, "route", "show", "table", `${table}`], ipRoute, where);

/** `-N`: numbers, whatever names /etc/iproute2 gives to tables and protocols. */
async function query<T>(args: readonly string[], schema: z.ZodType<T>, where: Where): Promise<T[]> {
  const all = ["-N", "-d", "-j", ...args];
  const text = await run("ip", all, where).catch((error: unknown) => {
    // iproute2 6.1, ip/iproute.c: a table without routes in it is an error for IPv4 and none for IPv6.
    if (error instanceof CommandError && error.stderr.includes("FIB table does not exist")) return "[]";
    throw error;
  });
  try {
    return z.array(schema).parse(JSON.parse(text.trim() || "[]"));
  } catch (cause) {
    const command = ["ip", ...all].join(" ");
    throw new CommandError("ERR_OUTPUT_UNREADABLE", `${command}: ${errorMessage(cause)}`, {
      command,
      stderr: "",
      cause,
    });
  }
}
