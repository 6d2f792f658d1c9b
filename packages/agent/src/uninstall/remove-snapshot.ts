import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Configuration } from "@millrace/core/internal";
import { find } from "../daemon/stale-socket.ts";
import { removeSnapshot, SNAPSHOT_NAME, snapshotPath } from "../proof/snapshot-file.ts";
import type { Verification } from "../proof/verification.ts";
import type { Ledger } from "./removal.ts";
import { removeIfEmpty } from "./remove-files.ts";

/** Last of all, and only when nothing is left or kept that a later uninstall removes: until then `millrace verify-clean` compares with it. */
export function removeSnapshotOf(
  configuration: Configuration,
  ledger: Ledger,
  verification: Verification | undefined,
): void {
  const path = snapshotPath(configuration);
  if (find(path).kind === "nothing") return;
  // A journal that still knows of something is put back later, and proven then.
  const isAlone = readdirSync(dirname(path)).every((name) => name === SNAPSHOT_NAME);
  if (ledger.left.length > 0 || (verification?.left.length ?? 0) > 0 || !isAlone) {
    ledger.kept.push(`snapshot ${path}: \`millrace verify-clean\` compares with it`);
    return;
  }
  ledger.attempt(`snapshot ${path}`, () => removeSnapshot(configuration));
  removeIfEmpty(dirname(path), ledger);
  removeIfEmpty(dirname(configuration.eventLog.path), ledger);
}
