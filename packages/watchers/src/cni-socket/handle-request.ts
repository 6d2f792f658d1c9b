import { CNI_CODES, type CniReply, type CniRequest, errorMessage, inputs } from "@millrace/core";
import type { Netns } from "linux-ts";
import { WatcherError } from "../errors.ts";
import type { WatcherLog } from "../log.ts";
import type { Sink } from "../watcher.ts";
import { inspectInterface } from "./pod-interface.ts";
import type { RemovedContainers } from "./removed-containers.ts";
import { ok, refuse, refuseInterface } from "./replies.ts";

/** What became of a workload that CNI announced. */
export type Enrolment =
  | { readonly outcome: "applied" | "not-a-member" | "deadline" }
  | { readonly outcome: "failed"; readonly code: string; readonly message: string };

/** What the engine answers the CNI socket with. */
export interface CniEngine {
  /**
   * Resolves once it is known what becomes of this workload: it is not a member, its redirection is applied, or applying failed.
   * A pod that nobody observed yet may become a member any moment, so it is waited for. Rejects or resolves `deadline` when aborted.
   */
  enrolment(uid: string, signal: AbortSignal): Promise<Enrolment>;
  /** What is wrong with this workload's redirection, one phrase each; nothing when all is as it should be or it is not a member. */
  check(uid: string, signal: AbortSignal): Promise<readonly string[]>;
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
    case "STATUS":
      return status(context);
  }
}

type Request<Command> = Extract<CniRequest, { command: Command }>;

async function add(request: Request<"ADD">, context: RequestContext): Promise<CniReply> {
  const { containerId, pod } = request;
  let refusal: CniReply | undefined;
  try {
    const facts = inspectInterface(request, context.node);
    context.removed.forget(containerId);
    context.sink(inputs.interfaceAdded({ containerId, ...pod, ...facts, source: "cni" }));
  } catch (error) {
    if (!(error instanceof WatcherError)) throw error;
    refusal = refuseInterface(error);
    // An interface that cannot be redirected matters to members only: a pod outside the mesh may have whatever its CNI gives it.
    const matters = error.code !== "ERR_NOT_VETH" && error.code !== "ERR_PEER_ELSEWHERE";
    if (matters) return refusal;
  }
  const enrolment = await withDeadline(context, (signal) => context.engine.enrolment(pod.uid, signal));
  const what = `pod ${pod.namespace}/${pod.name} (${pod.uid})`;
  switch (enrolment?.outcome) {
    case "applied":
    case "not-a-member":
      return ok;
    case "failed":
      return (
        refusal ?? refuse(CNI_CODES.redirectionFailed, `cannot redirect ${what}: ${enrolment.message}`, enrolment.code)
      );
    default:
      return refusal ?? tooLate(`${what} was not enrolled`, context);
  }
}

/** Runs in any order and any number of times, also for what never was: always succeeds (CNI spec, "DEL"). */
async function del({ containerId, pod }: Request<"DEL">, { sink, removed }: RequestContext): Promise<CniReply> {
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

async function status({ engine }: RequestContext): Promise<CniReply> {
  const reason = engine.status();
  return reason === undefined ? ok : refuse(CNI_CODES.unavailable, `an ADD would fail now: ${reason}`);
}

function tooLate(what: string, { signal, deadlineMs }: RequestContext): CniReply {
  const why = signal.aborted ? "before the agent stopped" : `within ${deadlineMs} ms`;
  return refuse(CNI_CODES.tryAgainLater, `${what} ${why}; try again`);
}

/** Undefined when the deadline passed, or the peer or the agent went away. The engine is told, and not waited for any longer. */
async function withDeadline<T>(
  { deadlineMs, signal, log }: RequestContext,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const expiry = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  const expired = Promise.withResolvers<undefined>();
  const onExpiry = () => expired.resolve(undefined);
  expiry.addEventListener("abort", onExpiry, { once: true });
  try {
    const answer = ask(expiry).catch((error: unknown) => {
      if (!expiry.aborted) throw error;
      log.debug({ error: errorMessage(error) }, "the engine gave up with the deadline");
      return undefined;
    });
    return await Promise.race([answer, expired.promise]);
  } finally {
    expiry.removeEventListener("abort", onExpiry);
  }
}
