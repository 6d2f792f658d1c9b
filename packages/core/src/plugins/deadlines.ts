/** Verbs that one subject of the queue waits for; what drives them gives up a little later (`DEFAULT_DEADLINE_MS` of the reconciler). */
const VERB_MS = 25_000;
/** What may look at or go through a whole node. */
const NODE_MS = 120_000;

/** Longest that a call may take before its signal is aborted, in milliseconds. */
export const DEADLINES_MS = {
  load: 60_000,
  check: 60_000,
  create: 60_000,
  probe: 60_000,
  open: NODE_MS,
  traces: NODE_MS,
  plan: NODE_MS,
  openShadow: NODE_MS,
  removeShadow: NODE_MS,
  useProxies: VERB_MS,
  usedProxies: VERB_MS,
  useNode: VERB_MS,
  apply: VERB_MS,
  remove: VERB_MS,
  observe: VERB_MS,
  observeWorkloads: VERB_MS,
  explain: VERB_MS,
  handOver: NODE_MS,
  carryOn: VERB_MS,
  withdraw: NODE_MS,
  uninstall: NODE_MS,
  close: VERB_MS,
} as const;

export type PluginVerb = keyof typeof DEADLINES_MS;

/** Verbs that a plugin in a process of its own is asked for: planning and shadows are for the backends that come with Millrace. */
export type IsolatedVerb = Exclude<PluginVerb, "plan" | "openShadow" | "removeShadow">;

/** How long a call that was told to stop may take to do so, before its process is ended. */
export const GRACE_MS = 2_000;
