/** What `millrace` returns to the shell. Stable: scripts and probes depend on these numbers. */
export const EXIT = {
  ok: 0,
  unexpected: 1,
  /** Of `replay`, as of diff(1). */
  differs: 1,
  /** As of diff(1) and its like, where something differs: of `verify-clean` and `uninstall --verify`. */
  notClean: 1,
  usage: 2,
  notCapable: 3,
  notRunning: 4,
  unhealthy: 5,
  conflict: 6,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** One line per code, in the order of the numbers; printed by every `--help`. */
export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, "done; for status: every member is completely redirected"],
  [
    EXIT.unexpected,
    "unexpected failure: please report it, with --debug; for replay: the decisions differ; " +
      "for verify-clean and uninstall --verify: something is left",
  ],
  [EXIT.usage, "wrong usage or configuration: fix it and try again"],
  [EXIT.notCapable, "this host or user cannot: no capable backend, or not permitted"],
  [EXIT.notRunning, "no agent answers on the admin socket"],
  [EXIT.unhealthy, "something is pending, partial or failed, or is left on the node"],
  [EXIT.conflict, "another agent is running here; for switch: it was refused"],
];
