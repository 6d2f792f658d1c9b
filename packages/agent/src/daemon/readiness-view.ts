import { type Condition, readiness } from "../http/readiness.ts";
import type { AdminPart } from "./admin-part.ts";
import type { InstallPart } from "./install-part.ts";
import type { WatchersPart } from "./watchers-part.ts";

/** What `/readyz` says, from the parts that it is about. */
export class ReadinessView {
  readonly #admin: AdminPart;
  readonly #watchers: WatchersPart;
  readonly #install: InstallPart;

  constructor(admin: AdminPart, watchers: WatchersPart, install: InstallPart) {
    this.#admin = admin;
    this.#watchers = watchers;
    this.#install = install;
  }

  conditions(status = this.#admin.status()): Condition[] {
    return readiness({
      status,
      cniSocketOpen: this.#watchers.running,
      install: this.#install.enabled ? this.#install.state : "not ours",
    });
  }
}
