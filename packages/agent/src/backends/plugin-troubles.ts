/** What went wrong with one plugin since the agent began. */
export interface PluginTrouble {
  readonly name: string;
  /** Calls that failed. */
  readonly failures: number;
  /** How often its process has ended, where it has one of its own. */
  readonly ends: number;
  /** RFC 3339 UTC. */
  readonly time: string;
  /** Of the last of them. */
  readonly code: string;
  readonly message: string;
}

/** Keeps in mind which plugin fails, for the status: what one does is not to be looked for in another. */
export class PluginTroubles {
  readonly #byName = new Map<string, PluginTrouble>();
  readonly #now: () => string;

  /** `now`: RFC 3339 UTC. */
  constructor(now: () => string = () => new Date().toISOString()) {
    this.#now = now;
  }

  failed(name: string, code: string, message: string): void {
    this.#note(name, { failures: 1, ends: 0, code, message });
  }

  ended(name: string, reason: string): void {
    this.#note(name, { failures: 0, ends: 1, code: "ERR_PLUGIN_PROCESS", message: reason });
  }

  /** Sorted by name. */
  get all(): readonly PluginTrouble[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #note(name: string, { failures, ends, ...last }: Omit<PluginTrouble, "name" | "time">): void {
    const before = this.#byName.get(name) ?? { failures: 0, ends: 0 };
    const counts = { failures: before.failures + failures, ends: before.ends + ends };
    this.#byName.set(name, { name, ...counts, time: this.#now(), ...last });
  }
}
