import { rmSync } from "node:fs";
import { join } from "node:path";
import { errorMessage } from "@millrace/core/internal";
import { readAll, removeDurably, removeEmpty, removeUnfinished, writeDurably } from "@millrace/host";
import { z } from "zod";

const slotSchema = z.strictObject({
  version: z.literal(1),
  key: z.string(),
  name: z.string(),
  netns: z.string(),
  netnsInode: z.int(),
  ifName: z.string(),
  mac: z.string(),
  hostName: z.string(),
  hostIndex: z.int(),
  /** Interface of the node that the proxy's packets come in by: `hostName`, or the bridge it is a port of. */
  device: z.string(),
  addresses: z.array(z.string()),
});

/** Written before the node is switched, so that it says what was wanted, whatever the kernel has by now. */
const activeSchema = z.strictObject({
  version: z.literal(1),
  /** null: new connections go to no proxy. */
  slot: z.int().nullable(),
  /** Another backend serves: nothing is sent to any proxy, and only the zones of what they have open are left. */
  standby: z.boolean().default(false),
});

/** All of the backend's: see also `rules/printed-rules.ts`. */
const DIRECTORIES = ["active", "slots", "rules"] as const;
const ACTIVE_FILE = "slot.json";

/** Whom a slot is for, and how to find its namespace again after a restart. */
export type SlotIdentity = Omit<z.output<typeof slotSchema>, "version">;

/** What the kernel has no room for: whose slots are whose, and which one is active. */
export class Notes {
  readonly #root: string;

  constructor(journal: string) {
    this.#root = join(journal, "iptables");
  }

  slots(): ReadonlyMap<number, SlotIdentity> {
    const files = read(join(this.#root, "slots"), slotSchema);
    return new Map(files.map(({ name, note: { version: _, ...identity } }) => [Number(name), identity]));
  }

  setSlot(index: number, identity: SlotIdentity): void {
    write(join(this.#root, "slots", `${index}.json`), { version: 1, ...identity });
  }

  deleteSlot(index: number): void {
    remove(join(this.#root, "slots"), `${index}.json`);
  }

  /** The slot that new connections are to go to; undefined where nothing is noted, as by versions that told it by the tunnel. */
  active(): { readonly slot: number | undefined } | undefined {
    const [found] = read(join(this.#root, "active"), activeSchema);
    return found && { slot: found.note.slot ?? undefined };
  }

  isStandby(): boolean {
    return read(join(this.#root, "active"), activeSchema).some(({ note }) => note.standby);
  }

  setStandby(): void {
    write(join(this.#root, "active", ACTIVE_FILE), { version: 1, slot: null, standby: true });
  }

  setActive(slot: number | undefined): void {
    const present = this.active();
    if (present !== undefined && present.slot === slot && !this.isStandby()) return;
    write(join(this.#root, "active", ACTIVE_FILE), { version: 1, slot: slot ?? null });
  }

  /** Removes what a crash left half written, and what earlier versions noted here: the kernel tells by itself now which networks are excluded. */
  sweep(): void {
    for (const name of DIRECTORIES) removeUnfinished(join(this.#root, name));
    rmSync(join(this.#root, "exclusions"), { recursive: true, force: true });
  }

  /** Forgets who was active, and removes the directories that are empty. */
  close(): void {
    remove(join(this.#root, "active"), ACTIVE_FILE);
    for (const name of DIRECTORIES) removeEmpty(join(this.#root, name));
    removeEmpty(this.#root);
  }
}

/** A note that cannot be read is as good as none: what it told of is asked for again. */
function read<T extends z.ZodType>(directory: string, schema: T): { name: string; note: z.output<T> }[] {
  return readAll(directory).flatMap(({ path, text }) => {
    const { success, data } = z.string().transform(parseJson).pipe(schema).safeParse(text);
    return success ? [{ name: path.slice(directory.length + 1, -".json".length), note: data }] : [];
  });
}

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: errorMessage(error) });
    return z.NEVER;
  }
}

function write(path: string, note: object): void {
  writeDurably(path, `${JSON.stringify(note)}\n`);
}

function remove(directory: string, file: string): void {
  if (readAll(directory).some(({ path }) => path === join(directory, file))) removeDurably(join(directory, file));
}
