import { join } from "node:path";
import { currentBootId, readAll } from "@millrace/core/internal";
import { z } from "zod";

const noteSchema = z.object({
  bootId: z.string(),
  netnsInode: z.int(),
  path: z.string(),
  before: z.string(),
  written: z.string(),
});

/** A sysctl that the journal knows to be changed. */
export type SysctlNote = Omit<z.output<typeof noteSchema>, "bootId">;

/** What a journal says to be changed since this boot, without opening it. A note that cannot be read is left out: its file tells enough. */
export function sysctlNotes(journal: string, bootId = currentBootId()): SysctlNote[] {
  return readAll(join(journal, "sysctl")).flatMap(({ text }) => {
    const { success, data } = noteSchema.safeParse(parsed(text));
    return success && data.bootId === bootId ? [data] : [];
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // what a crash left half written
  }
}
