import {
  CNI_CODES,
  type CniReply,
  type CniRequest,
  type Enrolment,
  errorMessage,
  inputs,
} from "@millrace/core/internal";
import type { Netns } from "linux-ts";
import { WatcherError } from "../errors.ts";
import type { WatcherLog } from "../log.ts";
import type { Sink } from "../watcher.ts";
import { inspectInterface } from "./pod-interface.ts";
import type { RemovedContainers } from "./removed-containers.ts";
import { ok, refuse, refuseInterface } from "./replies.ts";
import { type Attachment, staleAttachments } from "./stale-attachments.ts";

/** What the engine answers the CNI socket with. */
export interface CniEngine {
  /**
   * Resolves once it is certain what becomes of this pod: it is not a member, or its redirection is applied. A pod that nobody observed
   * yet may become a member any moment, so it is waited for. Aborting the signal is the deadline: resolves to what is known then.
   */
  enrolment(uid: string, signal: AbortSignal): Promise<Enrolment>;
  /** What is wrong with this workload's redirection, one phrase each; nothing when all is as it should be or it is not a member. */
  check(uid: string, signal: AbortSignal): Promise<readonly string[]>;
  /** The interface of this container that ADD told of, if nobody has told its end. */
  attachment(containerId: string): Attachment | undefined;
  /** All of these. */
  attachments(): readonly Attachment[];
  /** Why an ADD would fail now; undefined when it would not. */
  status(): string | undefined;
}

export interface RequestContext {
  readonly engine: CniEngine;
  readonly node: Netns;
  readonly sink: Sink;
  readonly log: WatcherLog;
  /** Longest that ADD and CHECK may take, in milliseconds. */
  readonly deadlineMs: number;
  /** Aborted when the peer or the agent goes away. */
  readonly signal: AbortSignal;
  readonly removed: RemovedContainers;
}

export function handleRequest(request: CniRequest, context: RequestContext): Promise<CniReply> {
  switch (request.command) {
    case "ADD":
      return add(request, context);
    case "DEL":
      return del(request, context);
    case "CHECK":
      return check(request, context);
    case "GC":
      return collectGarbage(request, context);
    case "STATUS":
      return status(context);
  }
}

type Request<Command> = Extract<CniRequest, { command: Command }>;

async function add(request: Request<"ADD">, context: RequestContext): Promise<CniReply> {
  const { containerId, pod } = request;
  const what = `pod ${pod.namespace}/${pod.name} (${pod.uid})`;
  const first = otherInterface(request, context);
  if (first === undefined) context.removed.forget(containerId);
  let refusal: CniReply | undefined;
  try {
    const facts = await inspectInterface(request, context.node);
    if (first === undefined) {
      // A runtime that gave up asks for a DEL while its ADD is here yet: what goes is not told to have come.
      if (context.removed.has(containerId))
        return tooLate(`${what} was not enrolled, for it was deleted meanwhile,`, context);
      context.sink(inputs.interfaceAdded({ containerId, ...pod, ...facts, source: "cni" }));
    } else {
      const fields = { containerId, ...pod, ifName: request.ifName, redirected: first };
      context.log.warn(fields, "a further interface of a pod is not redirected; its first one is");
    }
  } catch (error) {
    if (!(error instanceof WatcherError)) throw error;
    refusal = refuseInterface(error);
    // An interface that cannot be redirected matters to members only: a pod outside the mesh may have whatever its CNI gives it.
    const matters = error.code !== "ERR_NOT_VETH" && error.code !== "ERR_PEER_ELSEWHERE";
    if (matters) return refusal;
  }
  const enrolment = await withDeadline(context, (signal) => context.engine.enrolment(pod.uid, signal));
  switch (enrolment?.kind) {
    case "applied":
    case "not-member":
      return ok;
    case "failed": {
      const { error, attempts } = enrolment;
      const message = `${what} was not redirected in ${attempts} attempts: ${error.message}`;
      return refusal ?? refuse(CNI_CODES.redirectionFailed, message, error.code);
    }
    default:
      return refusal ?? tooLate(`${what} was not enrolled`, context, enrolment?.reason);
  }
}

/**
 * The name of the container's interface that an ADD told of, when that is not the one of this request. An attachment is a container and
 * an interface (CNI spec, section 2, "Parameters"): a pod has several where a second network of it, by Multus, has our plugin in its
 * chain too. One is redirected, the first, and what comes and goes beside it must not end that.
 */
function otherInterface(
  { containerId, ifName }: Request<"ADD" | "DEL">,
  { engine }: RequestContext,
): string | undefined {
  const known = engine.attachment(containerId);
  return known?.ifName === ifName ? undefined : known?.ifName;
}

/** Runs in any order and any number of times, also for what never was: always succeeds (CNI spec, "DEL"). */
async function del(request: Request<"DEL">, context: RequestContext): Promise<CniReply> {
  const { containerId, pod } = request;
  const { sink, removed } = context;
  if (otherInterface(request, context) !== undefined) return ok;
  if (removed.note(containerId)) sink(inputs.interfaceRemoved({ containerId, uid: pod.uid }));
  return ok;
}

async function check(request: Request<"CHECK">, context: RequestContext): Promise<CniReply> {
  const { uid, namespace, name } = request.pod;
  const problems = await withDeadline(context, (signal) => context.engine.check(uid, signal));
  if (problems === undefined) return tooLate(`pod ${namespace}/${name} (${uid}) was not checked`, context);
  if (problems.length === 0) return ok;
  const message = `the redirection of pod ${namespace}/${name} (${uid}) is not as it should be`;
  return refuse(CNI_CODES.redirectionDrifted, message, problems.join("; "));
}

/** Says the end of attachments whose DEL never came, for instance because the agent was away (CNI spec, "GC"). */
async function collectGarbage({ validAttachments }: Request<"GC">, context: RequestContext): Promise<CniReply> {
  for (const { containerId, uid } of staleAttachments(context.engine.attachments(), validAttachments)) {
    if (!context.removed.note(containerId)) continue;
    context.log.info({ containerId, uid }, "an attachment that the runtime no longer has was forgotten");
    context.sink(inputs.interfaceRemoved({ containerId, uid }));
  }
  return ok;
}

async function status({ engine }: RequestContext): Promise<CniReply> {
  const reason = engine.status();
  return reason === undefined ? ok : refuse(CNI_CODES.unavailable, `an ADD would fail now: ${reason}`);
}

function tooLate(what: string, { signal, deadlineMs }: RequestContext, reason = ""): CniReply {
  const when = signal.aborted ? "before the agent stopped" : `within ${deadlineMs} ms`;
  return refuse(CNI_CODES.tryAgainLater, `${what} ${when}; try again`, reason);
}

/** How long the engine may take to say what it knows once the deadline has passed. */
const LAST_WORD_MS = 250;

/** Undefined when the engine says nothing although the deadline passed, or the peer or the agent went away. */
async function withDeadline<T>(
  { deadlineMs, signal, log }: RequestContext,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const expiry = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  const answer = ask(expiry).catch((error: unknown) => {
    if (!expiry.aborted) throw error;
    log.debug({ error: errorMessage(error) }, "the engine gave up with the deadline");
    return undefined;
  });
  const answered = new AbortController();
  try {
    return await Promise.race([answer, silenceAfter(expiry, answered.signal)]);
  } finally {
    // With a reason of its own: the default one is an error with a stack, for nobody to read.
    answered.abort("answered");
  }
}

/** Resolves some time after `expiry`; never when `answered` comes first. */
function silenceAfter(expiry: AbortSignal, answered: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    const wait = () => {
      const timer = setTimeout(resolve, LAST_WORD_MS, undefined);
      answered.addEventListener("abort", () => clearTimeout(timer), { once: true });
    };
    if (expiry.aborted) wait();
    else expiry.addEventListener("abort", wait, { once: true, signal: answered });
  });
}
