import { calling } from "./errors.ts";
import { native } from "./native.ts";

/**
 * The files of two names on one file system swap their places in one step (renameat2(2), RENAME_EXCHANGE): what was displaced by a
 * replacement can then be looked at, which rename(2) makes impossible. Throws `ENOENT` unless both are there, `EINVAL` where the file
 * system cannot do it.
 */
export function renameExchange(first: string, second: string): void {
  calling(`exchanging ${first} and ${second}`, () => native.renameExchange(first, second));
}
