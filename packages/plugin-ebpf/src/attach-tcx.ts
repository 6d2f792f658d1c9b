import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ForeignObject } from "@millrace/core";
import { errorCode } from "@millrace/core/internal";
import {
  attachTcxAsync,
  BpfLink,
  BpfProgram,
  type LinkInfo,
  queryTcx,
  queryTcxAsync,
  type TcxPrograms,
} from "libbpf-ts";
import { type Ahead, whatIsAhead } from "./ahead.ts";
import { type Attached, type Attachment, type Hook, type HookState, placeOf, shadow, targetOf } from "./attachment.ts";
import { explainFailure } from "./errors.ts";
import { removePins } from "./pins.ts";

/**
 * Attaches by tcx links (kernel 6.6), pinned beside their interface's directory. A link is ours alone: nobody else can replace or
 * detach it, and it is put before all other programs of its hook. Attaching waits for an RCU grace period (15 to 19 ms), so a link that
 * exists is always kept and its program replaced in place.
 */
export class TcxAttachment implements Attachment {
  readonly mode = "tcx";

  async ensure(hook: Hook, program: BpfProgram): Promise<Attached> {
    const pin = pinOf(hook);
    try {
      using link = openLink(pin);
      if (link) {
        const info = link.info();
        if (info.ifindex === hook.ifindex) {
          if (info.programId === program.info.id) return "kept";
          link.update(program);
          return "updated";
        }
        // The interface it was on is gone, and with it the attachment (kernel/bpf/tcx.c, tcx_uninstall()).
        removePins(pin);
      }
      using fresh = await attachOnce(hook, program);
      fresh.pin(pin);
      return "attached";
    } catch (error) {
      throw explainFailure(`attaching ${hook.program} to ${placeOf(hook)} by tcx`, error);
    }
  }

  /** At once: without a pin the kernel would end the link too, but only some time later (kernel/bpf/inode.c, bpf_free_inode()). */
  async detach(hook: Hook): Promise<void> {
    try {
      using link = openLink(pinOf(hook));
      if (link && link.info().ifindex !== 0) await link.detachAsync();
    } catch (error) {
      // The interface went away in between.
      if (errorCode(error) !== "ENOLINK")
        throw explainFailure(`detaching ${hook.program} from ${placeOf(hook)}`, error);
    }
    removePins(pinOf(hook));
  }

  isNoted(hook: Hook): boolean {
    return existsSync(pinOf(hook));
  }

  inspect(hook: Hook): HookState {
    using link = openLink(pinOf(hook));
    const info = link?.info();
    return info?.ifindex === hook.ifindex ? stateOf(hook, info, queryTcx(targetOf(hook))) : NOTHING_OF_OURS;
  }

  async inspectAsync(hook: Hook): Promise<HookState> {
    using link = openLink(pinOf(hook));
    const info = await link?.infoAsync();
    return info?.ifindex === hook.ifindex ? stateOf(hook, info, await queryTcxAsync(targetOf(hook))) : NOTHING_OF_OURS;
  }
}

const NOTHING_OF_OURS: HookState = { programId: undefined, ahead: [] };

function stateOf(hook: Hook, { id, programId }: LinkInfo, { programs }: TcxPrograms): HookState {
  const ours = programs.findIndex(({ linkId }) => linkId === id);
  return ours < 0 ? NOTHING_OF_OURS : { programId, ...aheadByTcx(hook, programs.slice(0, ours)) };
}

/** Whoever removes a pin ends the link behind it, but the kernel only gets round to that a moment later. */
const DYING_LINK_TRIES = 20;
const DYING_LINK_MS = 10;

/** A program can be attached to a hook once (kernel/bpf/mprog.c): where it already is, its link is taken over. */
async function attachOnce(hook: Hook, program: BpfProgram): Promise<BpfLink> {
  for (let tries = 1; ; tries++) {
    try {
      return await attachTcxAsync({ ...targetOf(hook), program, position: "first" });
    } catch (error) {
      if (errorCode(error) !== "EEXIST" || tries === DYING_LINK_TRIES) throw error;
    }
    const found = queryTcx(targetOf(hook)).programs.find(({ programId }) => programId === program.info.id);
    const link = found && linkById(found.linkId);
    if (link) return link;
    await sleep(DYING_LINK_MS);
  }
}

/** Undefined for a link that is going away, and for 0: attached without one. */
function linkById(id: number): BpfLink | undefined {
  try {
    return BpfLink.byId(id);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** These tcx programs of a hook, as what stands before ours. */
export function aheadByTcx(hook: Hook, programs: readonly { readonly programId: number }[]): Ahead {
  return whatIsAhead(programs.map(({ programId }) => ({ programId, foreign: () => describe(programId, hook) })));
}

function describe(programId: number, hook: Hook): ForeignObject {
  return shadow("tcx program", placeOf(hook), `${programName(programId)}, program id ${programId}`, hook.program);
}

/** For messages. */
export function programName(id: number): string {
  try {
    using program = BpfProgram.byId(id);
    return program.info.name || "unnamed";
  } catch (error) {
    // Gone since it was listed, or CAP_SYS_ADMIN is missing: the id alone still tells it apart.
    if (["ENOENT", "EPERM"].includes(errorCode(error))) return "unknown name";
    throw error;
  }
}

function pinOf(hook: Hook): string {
  return join(hook.directory, hook.direction);
}

/** The pinned link, or undefined when there is no pin. */
export function openLink(pin: string): BpfLink | undefined {
  return existsSync(pin) ? BpfLink.openPinned(pin) : undefined;
}
