import { existsSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "@millrace/core/internal";
import { attachClsactAsync, type BpfProgram, detachClsact, queryTcx, queryTcxAsync, type TcxPrograms } from "libbpf-ts";
import { deleteClsact, hasClsact, hasClsactAsync, type TcFilter, tcFilters, tcFiltersAsync } from "linux-ts";
import { z } from "zod";
import { whatIsAhead } from "./ahead.ts";
import { aheadByTcx } from "./attach-tcx.ts";
import { type Attached, type Attachment, type Hook, type HookState, placeOf, shadow, targetOf } from "./attachment.ts";
import type { EbpfConfig } from "./config.ts";
import { EbpfError, explainFailure } from "./errors.ts";
import { isOfShadow } from "./layout.ts";
import { readJson, readNote, removePins, writeNote } from "./pins.ts";

/** How many priorities behind the configured one are tried when it belongs to a filter of another protocol or kind. */
const PRIORITY_TRIES = 32;

/** What a kernel before Linux 6.6 has. */
const NO_TCX = { programs: [] };

const DIRECTIONS = ["ingress", "egress"] as const;
const OWN_QDISC = "own-qdisc";

const placeSchema = z.strictObject({ priority: z.int(), handle: z.int() });
type Place = z.output<typeof placeSchema>;

/**
 * Attaches by filters of the clsact qdisc (any kernel we support). A filter belongs to whoever names its priority and handle, so
 * ours have a handle of their own, are told by handle and program name, and the note `<direction>-filter` remembers where
 * they are, `own-qdisc` that the qdisc is ours as well. Filters of one priority run newest first (net/sched/cls_bpf.c adds at the head of its list), so sharing a priority with
 * somebody still runs ours first.
 */
export class ClsactAttachment implements Attachment {
  readonly mode = "clsact";
  readonly #place: Place;
  readonly #hasTcx: boolean;
  /** Whether there was a qdisc, by our note of it, while one is looked for and made: whoever comes for the interface's other direction need not look. */
  readonly #looks = new Map<string, Promise<boolean>>();

  constructor(place: EbpfConfig["clsact"], hasTcx: boolean) {
    this.#place = place;
    this.#hasTcx = hasTcx;
  }

  async ensure(hook: Hook, program: BpfProgram): Promise<Attached> {
    const own = ownQdiscOf(hook);
    const begun = this.#looks.get(own);
    const look = begun ?? hasQdisc(hook);
    if (begun === undefined) this.#looks.set(own, look);
    try {
      if (!(await look)) {
        writeNote(own, "clsact");
        return await this.#attach(hook, program, []);
      }
      const filters = await tcFiltersAsync(targetOf(hook));
      const ours = this.#find(hook, filters);
      if (ours?.programId === program.info.id) {
        this.#note(hook, ours);
        return "kept";
      }
      if (ours) {
        this.#note(hook, ours);
        const { priority, handle } = ours;
        await attachClsactAsync({ ...targetOf(hook), program, priority, handle, replace: true });
        return "updated";
      }
      return await this.#attach(hook, program, filters);
    } catch (error) {
      throw explainFailure(`attaching ${hook.program} to ${placeOf(hook)} by clsact`, error);
    } finally {
      if (begun === undefined) this.#looks.delete(own);
    }
  }

  async detach(hook: Hook): Promise<void> {
    const note = noteOf(hook);
    try {
      const ours = this.#find(hook, tcFilters(targetOf(hook)));
      if (ours) detachClsact({ ...targetOf(hook), priority: ours.priority, handle: ours.handle });
      removeOwnQdisc(hook);
    } catch (error) {
      // The interface is gone, and its filters with it.
      if (errorCode(error) !== "ENODEV") throw explainFailure(`detaching ${hook.program} from ${placeOf(hook)}`, error);
    }
    removePins(note);
  }

  isNoted(hook: Hook): boolean {
    return readNote(noteOf(hook)) !== undefined;
  }

  inspect(hook: Hook): HookState {
    return this.#stateOf(hook, tcFilters(targetOf(hook)), this.#hasTcx ? queryTcx(targetOf(hook)) : NO_TCX);
  }

  async inspectAsync(hook: Hook): Promise<HookState> {
    const filters = await tcFiltersAsync(targetOf(hook));
    return this.#stateOf(hook, filters, this.#hasTcx ? await queryTcxAsync(targetOf(hook)) : NO_TCX);
  }

  #stateOf(hook: Hook, filters: readonly TcFilter[], { programs }: Pick<TcxPrograms, "programs">): HookState {
    const ours = this.#find(hook, filters);
    if (!ours) return { programId: undefined, ahead: [] };
    const before = whatIsAhead(
      filters.slice(0, filters.indexOf(ours)).map((filter) => {
        const where = `${placeOf(hook)}, priority ${filter.priority}`;
        const foreign = () => shadow("clsact filter", where, describeFilter(filter), hook.program);
        return { programId: filter.programId, foreign };
      }),
    );
    // tcx runs first (net/core/dev.c, sch_handle_ingress()).
    const byTcx = aheadByTcx(hook, programs);
    return {
      programId: ours.programId,
      ahead: [...byTcx.ahead, ...before.ahead],
      isBehindOurs: byTcx.isBehindOurs || before.isBehindOurs,
    };
  }

  /** Ours by handle and program name, wherever it is: the note may be missing or older than the configuration. */
  #find(hook: Hook, filters: readonly TcFilter[]): TcFilter | undefined {
    const handles = [noted(hook)?.handle, this.#place.handle];
    return filters.find((filter) => handles.includes(filter.handle) && isOurs(filter, hook));
  }

  async #attach(hook: Hook, program: BpfProgram, filters: readonly TcFilter[]): Promise<Attached> {
    const { handle, priority: first } = this.#place;
    for (let priority = first; priority < first + PRIORITY_TRIES; priority++) {
      const holder = filters.find((filter) => filter.priority === priority && filter.handle === handle);
      if (holder) throw foreignHandle(hook, holder);
      this.#note(hook, { priority, handle });
      try {
        await attachClsactAsync({ ...targetOf(hook), program, priority, handle });
        return "attached";
      } catch (error) {
        // A priority has one protocol and one kind (net/sched/cls_api.c, tcf_chain_tp_find()): this one belongs to something else.
        if (errorCode(error) !== "EINVAL" || !filters.some((filter) => filter.priority === priority)) throw error;
      }
    }
    throw new EbpfError(
      "ERR_FOREIGN_OBJECT",
      `no clsact priority from ${first} to ${first + PRIORITY_TRIES - 1} is free for a BPF filter on ${placeOf(hook)}: set clsact.priority`,
    );
  }

  /** Written before the filter, so that whatever happens in between there is never a filter without its note. */
  #note(hook: Hook, { priority, handle }: Place): void {
    const text = JSON.stringify({ priority, handle } satisfies Place);
    if (readNote(noteOf(hook)) !== text) writeNote(noteOf(hook), text);
  }
}

function foreignHandle(hook: Hook, holder: TcFilter): EbpfError {
  return new EbpfError(
    "ERR_FOREIGN_OBJECT",
    `${placeOf(hook)} has a filter of somebody else at priority ${holder.priority} with our handle 0x${holder.handle.toString(16)}: ` +
      `${describeFilter(holder)}. It is left alone; set clsact.handle to another value`,
  );
}

function isOurs(filter: TcFilter, hook: Hook): boolean {
  return filterProgram(filter) === hook.program;
}

/** The program's name in a filter's: libbpf makes that `<program>:[<id>]` (libbpf netlink.c, tc_add_fd_and_name()). */
export function filterProgram({ kind, name }: TcFilter): string | undefined {
  return kind === "bpf" ? name?.replace(/:\[\d+\]$/, "") : undefined;
}

export function describeFilter(filter: TcFilter): string {
  const id = filter.programId === undefined ? "" : `, program id ${filter.programId}`;
  return `${filter.name ?? filter.kind}, handle 0x${filter.handle.toString(16)}${id}`;
}

/** Where the qdisc is ours the kernel need not be asked: should somebody have removed it, it is made again, and ours again. */
async function hasQdisc(hook: Hook): Promise<boolean> {
  return readNote(ownQdiscOf(hook)) !== undefined || hasClsactAsync(targetOf(hook));
}

/** Present when the interface had no clsact qdisc before us. Written before the qdisc is made. */
function ownQdiscOf(hook: Hook): string {
  return join(hook.directory, OWN_QDISC);
}

/**
 * A qdisc that we made goes with its last filter, whoever that filter belonged to; one that was there before us stays. Where the filters that
 * stay are those of a shadow, or of what it shadows, it is that one's from now on.
 */
function removeOwnQdisc(hook: Hook): void {
  if (readNote(ownQdiscOf(hook)) === undefined) return;
  const filters = DIRECTIONS.flatMap((direction) => tcFilters({ ...targetOf(hook), direction }));
  if (filters.length > 0) {
    const names = filters.map(filterProgram);
    const isOthers = names.some((name) => name !== undefined && isOfShadow(name) !== isOfShadow(hook.program));
    if (names.includes(hook.program) || hook.other === undefined || !isOthers || !existsSync(hook.other)) return;
    writeNote(join(hook.other, OWN_QDISC), "clsact");
    removePins(ownQdiscOf(hook));
    return;
  }
  // The note comes before the qdisc, so a crash may have left it alone.
  if (hasClsact(targetOf(hook))) deleteClsact(targetOf(hook));
  removePins(ownQdiscOf(hook));
}

function noteOf(hook: Hook): string {
  return join(hook.directory, `${hook.direction}-filter`);
}

function noted(hook: Hook): Place | undefined {
  return readJson(noteOf(hook), placeSchema);
}
