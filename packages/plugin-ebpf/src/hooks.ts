import { type BpfProgram, probeTcx } from "libbpf-ts";
import { ClsactAttachment } from "./attach-clsact.ts";
import { TcxAttachment } from "./attach-tcx.ts";
import type { Attached, Attachment, Hook, HookState } from "./attachment.ts";
import type { EbpfConfig } from "./config.ts";
import { EbpfError } from "./errors.ts";

/**
 * Attaches in the chosen mode and takes away what an earlier run attached in the other one, in this order: for a moment both run,
 * and the second finds nothing left to do. What the other mode left is known by its pin or note, so looking for it costs no kernel call.
 */
export class Hooks {
  readonly mode: Attachment["mode"];
  readonly #chosen: Attachment;
  readonly #other: Attachment;

  constructor(chosen: Attachment, other: Attachment) {
    this.mode = chosen.mode;
    this.#chosen = chosen;
    this.#other = other;
  }

  async ensure(hook: Hook, program: BpfProgram): Promise<Attached> {
    const result = await this.#chosen.ensure(hook, program);
    if (this.#other.isNoted(hook)) await this.#other.detach(hook);
    return result;
  }

  async detach(hook: Hook): Promise<void> {
    for (const attachment of [this.#chosen, this.#other]) {
      if (attachment.isNoted(hook)) await attachment.detach(hook);
    }
  }

  inspect(hook: Hook): HookState {
    return this.#chosen.inspect(hook);
  }

  inspectAsync(hook: Hook): Promise<HookState> {
    return this.#chosen.inspectAsync(hook);
  }
}

/** Throws `ERR_ATTACH_UNSUPPORTED` when tcx is asked for and the kernel has none. */
export function chooseHooks(config: EbpfConfig): Hooks {
  const tcx = probeTcx();
  const clsact = new ClsactAttachment(config.clsact, tcx.available);
  if (config.attach === "tcx" && !tcx.available) {
    throw new EbpfError(
      "ERR_ATTACH_UNSUPPORTED",
      "this kernel has no tcx (it came with Linux 6.6): set attach to auto or clsact",
      tcx.error && { cause: tcx.error },
    );
  }
  return config.attach === "clsact" || !tcx.available
    ? new Hooks(clsact, new TcxAttachment())
    : new Hooks(new TcxAttachment(), clsact);
}
