import { createHash } from "node:crypto";
import { join } from "node:path";
import { readAll, removeDurably, writeDurably } from "@millrace/host";
import { z } from "zod";

const noteSchema = z.strictObject({
  version: z.literal(1),
  /** SHA-256 of what was written. */
  written: z.string(),
  /** What was printed of it then: chains, and their rules. */
  chains: z.record(z.string(), z.array(z.string())),
});

export type PrintedChains = Readonly<Record<string, readonly string[]>>;

/**
 * How the kernel's rules are printed after they were written. Versions and flavours each print rules in words of their own, so the two
 * can be compared only by way of what was printed right after writing. It is kept on disk: a restart must not have to write all rules
 * again.
 */
export class PrintedRules {
  readonly #directory: string;

  constructor(journal: string) {
    this.#directory = join(journal, "iptables", "rules");
  }

  /** What should be printed now; undefined when `text` was never written there, or not last. */
  get(place: string, text: string): PrintedChains | undefined {
    const path = this.#file(place);
    const found = readAll(this.#directory).find((file) => file.path === path);
    const note = noteSchema.safeParse(found && parse(found.text));
    return note.success && note.data.written === digest(text) ? note.data.chains : undefined;
  }

  set(place: string, text: string, printed: PrintedChains): void {
    const chains = Object.fromEntries(Object.entries(printed).map(([name, rules]) => [name, [...rules]]));
    const note: z.input<typeof noteSchema> = { version: 1, written: digest(text), chains };
    writeDurably(this.#file(place), `${JSON.stringify(note, undefined, 1)}\n`);
  }

  has(place: string): boolean {
    const path = this.#file(place);
    return readAll(this.#directory).some((file) => file.path === path);
  }

  delete(place: string): void {
    if (this.has(place)) removeDurably(this.#file(place));
  }

  #file(place: string): string {
    return join(this.#directory, `${place}.json`);
  }
}

/** A file that cannot be read is as good as none: the rules are written again. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
