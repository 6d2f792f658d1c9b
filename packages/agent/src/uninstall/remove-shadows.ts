import type { Backends } from "../backends/backends.ts";
import { describeError } from "../logging/describe-error.ts";
import type { Ledger } from "./removal.ts";

/** Takes away what shadows of any installed backend have left: the one that is configured now need not be the only one there was. */
export async function removeShadows({ plugins, create }: Backends, ledger: Ledger): Promise<void> {
  for (const plugin of plugins) {
    try {
      const removed = (await create(plugin).removeShadow?.()) ?? [];
      for (const what of removed) ledger.removed.push(`${what} (backend ${plugin.name})`);
    } catch (error) {
      const { code = "ERR_UNEXPECTED", message } = describeError(error);
      ledger.unseen.push(`shadow of backend ${plugin.name}: ${code}: ${message}`);
    }
  }
}
