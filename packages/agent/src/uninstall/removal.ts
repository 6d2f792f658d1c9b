import { rmSync } from "node:fs";
import { describeError } from "../logging/describe-error.ts";
import type { Verification } from "../proof/verification.ts";

/** What an uninstall did. The shape of `millrace uninstall --json`; fields are only ever added. */
export interface Removal {
  /** What was there and is gone, one phrase each. Empty when there was nothing. */
  readonly removed: readonly string[];
  /** What is of ours, or may be, and is still there; each with the reason. Empty when the node is clean. */
  readonly left: readonly string[];
  /** What was left on purpose. */
  readonly kept: readonly string[];
  /** What could not be looked at, though nothing says that it was ever there. */
  readonly unseen: readonly string[];
  /** Of an uninstall that was to be proven: what was looked for afterwards, and found. */
  readonly verification?: Verification;
}

/** Gathers a {@link Removal}. */
export class Ledger implements Removal {
  readonly removed: string[] = [];
  readonly left: string[] = [];
  readonly kept: string[] = [];
  readonly unseen: string[] = [];

  /** Does a part of the uninstall; when it throws, `what` counts as left and the rest goes on. */
  attempt(what: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      const { code, message } = describeError(error);
      this.left.push(`${what}: ${code === undefined || message.includes(code) ? message : `${code}: ${message}`}`);
    }
  }

  /** Removes a file and notes it. */
  remove(what: string, path: string): void {
    this.attempt(`${what} ${path}`, () => {
      rmSync(path);
      this.removed.push(`${what} ${path}`);
    });
  }
}
