import { z } from "zod";
import { switchStatusSchema } from "./switch-document.ts";

/**
 * The shape of `GET /status` and of `millrace status --json`. Stable: fields are only ever added, and {@link STATUS_VERSION}
 * counts up when one changes its meaning. Times are RFC 3339 UTC with milliseconds. Lists are sorted by namespace and name.
 */
export const STATUS_VERSION = 1;

const time = z.iso.datetime({ precision: 3 });

const foreign = z.object({ kind: z.string(), where: z.string(), owner: z.string(), effect: z.string() });

/**
 * - `enrolled`: the kernel was seen to hold all of this member's redirection
 * - `partial`: the kernel was seen to hold something less or something else: `problems` says what
 * - `unseen`: it was read back once, and by now the kernel cannot be read: `unread` of the node says why
 * - `failed`: the last attempt to bring the kernel in line failed: `reason` says why; it is tried again
 * - `pending`: wanted, not seen in the kernel yet: `reason` says what it waits for
 * - `leaving`: no longer wanted, still seen in the kernel
 * - `not a member`: left alone: `reason` says why
 */
export const WORKLOAD_STATES = [
  "enrolled",
  "partial",
  "unseen",
  "failed",
  "pending",
  "leaving",
  "not a member",
] as const;

const workload = z.object({
  uid: z.string(),
  namespace: z.string(),
  name: z.string(),
  addresses: z.array(z.string()),
  state: z.enum(WORKLOAD_STATES),
  /** Why it is in this state, absent when enrolled. */
  reason: z.string().optional(),
  /** When the agent last changed the kernel for it with success: from when on it has been as wanted. */
  since: time.optional(),
  /** When the kernel was last seen to agree with what is wanted. */
  agreedAt: time.optional(),
  /** What the last observation found missing or different. */
  problems: z.array(z.string()),
  /** Objects of others in our way. */
  foreign: z.array(foreign),
});

const proxy = z.object({
  uid: z.string(),
  key: z.string(),
  namespace: z.string(),
  name: z.string(),
  addresses: z.array(z.string()),
  role: z.enum(["active", "draining"]),
  /** `unseen`: wanted, but not in the last observation, or that cannot be made. */
  state: z.enum(["complete", "partial", "unseen"]),
  problems: z.array(z.string()),
});

const watch = z.object({
  name: z.string(),
  state: z.enum(["synced", "lost", "waiting"]),
  since: time.optional(),
  reason: z.string().optional(),
});

const earlier = z.object({
  backend: z.string(),
  /** What the backend that serves has to take over first. */
  waitsFor: z.array(z.string()),
  /** Why it could not be removed at the last attempt. */
  problem: z.string().optional(),
});

const selection = z.object({
  /** Why this backend and none of the others, in one sentence. */
  reason: z.string(),
  /** What each that was asked said of this host: of one that is capable, how it redirects. */
  probes: z.array(z.object({ backend: z.string(), capable: z.boolean(), summary: z.string() })),
});

export const statusSchema = z.object({
  statusVersion: z.literal(STATUS_VERSION),
  time,
  agent: z.object({
    version: z.string(),
    node: z.string(),
    pid: z.int(),
    startedAt: time,
    /** The configured mode, and the backend that took it; absent until one could be opened. */
    redirectMode: z.string(),
    backend: z.string().optional(),
    /** Absent until there was a choice. */
    selection: selection.optional(),
    failurePolicy: z.enum(["closed", "open"]),
    /** Why there is no open redirection yet; absent when all is well. */
    problem: z.string().optional(),
  }),
  /** Plugins that calls failed of since the agent began, or whose process has ended: how often, and what was last. */
  plugins: z
    .array(
      z.object({ name: z.string(), failures: z.int(), ends: z.int(), time, code: z.string(), message: z.string() }),
    )
    .default([]),
  /** Redirections that earlier runs made by other backends, still there: removed once their members are taken over. */
  earlier: z.array(earlier).default([]),
  /** A switch from one backend to another: the one that is under way, or how the last one ended. Absent where there was none. */
  switch: switchStatusSchema.optional(),
  /** The last reading of the kernel: everything below about the kernel is as of its time. Absent before the first. */
  observation: z.object({ time, problems: z.array(z.string()), nodeAddresses: z.array(z.string()) }).optional(),
  /**
   * Why it is not known what the kernel holds now: since when readings of it have failed, how many, and the last error. Absent while the last
   * one ended well.
   */
  unread: z.object({ since: time, attempts: z.int(), code: z.string(), message: z.string() }).optional(),
  eventLog: z.object({
    path: z.string(),
    /** Number of the last event, written or not. */
    lastSeq: z.int(),
    /** `stalled`: the disk is slower than the deadline. `failing`: it cannot be written; redirection goes on all the same. */
    state: z.enum(["healthy", "stalled", "failing"]),
    /** Events that will not be in the log. */
    lostEvents: z.int(),
    /** Events that wait in memory until it can be written. Absent in documents of agents that held none. */
    heldEvents: z.int().optional(),
    reason: z.string().optional(),
  }),
  /** What is wrong and belongs to no single workload, for instance why a proxy's pod cannot serve. */
  problems: z.array(z.string()),
  workloads: z.array(workload),
  proxies: z.array(proxy),
  watches: z.array(watch),
  counters: z.record(z.string(), z.number()),
  /** Tables of the kernel that refuse an entry when they are full, as of the last reading. */
  maps: z.record(z.string(), z.object({ entries: z.int(), max: z.int() })).default({}),
});

export type Status = z.infer<typeof statusSchema>;
export type WorkloadStatus = Status["workloads"][number];
export type WorkloadState = WorkloadStatus["state"];
export type ProxyStatus = Status["proxies"][number];
export type EarlierStatus = Status["earlier"][number];
export type WatchStatus = Status["watches"][number];
