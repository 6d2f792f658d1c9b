import { join } from "node:path";
import type { ForeignObject } from "@millrace/core";
import { attachSkLookup, querySkLookup } from "libbpf-ts";
import { openLink, programName } from "./attach-tcx.ts";
import { attempt } from "./errors.ts";
import type { LoadedObject } from "./load-object.ts";
import { removePins } from "./pins.ts";
import type { NamedSlot, Slot } from "./slot-identity.ts";

export function lookupPin({ directory }: Slot): string {
  return join(directory, "links", "lookup");
}

/** Makes ztunnel_lookup run in a proxy's namespace; a link that is there is kept and its program replaced in one step. */
export function ensureLookup(
  slot: Slot,
  object: LoadedObject,
  netns: { readonly fd: number; readonly inode: number },
): void {
  const pin = lookupPin(slot);
  const program = object.program("ztunnel_lookup");
  attempt("attaching ztunnel_lookup to the proxy's network namespace", () => {
    using present = openLink(pin);
    if (present?.info().netnsInode === netns.inode) {
      if (present.info().programId !== program.info.id) present.update(program);
      return;
    }
    removePins(pin);
    using fresh = attachSkLookup({ program, netns: netns.fd });
    fresh.pin(pin);
  });
}

export function detachLookup(slot: Slot): void {
  using present = openLink(lookupPin(slot));
  if (present && present.info().netnsInode !== 0) present.detach();
}

/** `sk_lookup` programs of others in a proxy's namespace. Whatever their order, each may choose another socket or refuse. */
export function foreignLookups({ identity }: NamedSlot, netns: number, ours: number | undefined): ForeignObject[] {
  return querySkLookup({ netns })
    .filter((id) => id !== ours)
    .map((id) => ({
      kind: "sk_lookup program",
      where: `network namespace of proxy ${identity.name}`,
      owner: `${programName(id)}, program id ${id}`,
      effect: "could choose another listener",
    }));
}
