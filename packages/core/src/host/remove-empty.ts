import { rmdirSync } from "node:fs";
import { errorCode } from "../errors.ts";

/** Removes directories from the innermost outwards as long as they are empty. */
export function removeEmpty(...directories: string[]): void {
  for (const directory of directories) {
    try {
      rmdirSync(directory);
    } catch (error) {
      const code = errorCode(error);
      // EBUSY: a mount point, for instance a volume of the agent's container.
      if (code === "ENOTEMPTY" || code === "EBUSY") return;
      if (code !== "ENOENT") throw error;
    }
  }
}
