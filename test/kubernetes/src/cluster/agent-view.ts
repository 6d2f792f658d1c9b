import type { Agent, LabPod } from "@millrace/conformance";
import { z } from "zod";
import { ClusterError } from "../errors.ts";

/** The watches of an agent in a cluster. */
export const WATCHES = ["kubernetes-namespaces", "kubernetes-node", "kubernetes-pods"] as const;
export type WatchName = (typeof WATCHES)[number];

/** A frozen API server is noticed within 20 s (docs/kubernetes-watch.md), and tried again after some seconds; a busy machine takes longer. */
const PATIENCE_MS = 90_000;

/** Waits until each of the watches is as given, and returns their reasons. */
export async function untilWatches(
  agent: Agent,
  state: "synced" | "lost",
  names: readonly WatchName[] = WATCHES,
): Promise<string[]> {
  const of = (watches: readonly { name: string; state: string; reason?: string | undefined }[]) =>
    watches.filter(({ name }) => (names as readonly string[]).includes(name));
  const { watches } = await agent.until(
    `${names.join(", ")} ${state}`,
    (status) => of(status.watches).every((watch) => watch.state === state),
    PATIENCE_MS,
  );
  return of(watches).map(({ reason = "" }) => reason);
}

/** State and reason of a workload as the agent has them now; undefined while it does not know the pod. */
export async function workloadOf(agent: Agent, { uid }: Pick<LabPod, "uid">) {
  return (await agent.status()).workloads.find((workload) => workload.uid === uid);
}

/** Waits until the agent has seen the pod and decided that it is no member. Returns the reason. */
export async function untilNoMember(agent: Agent, { uid, name }: Pick<LabPod, "uid" | "name">): Promise<string> {
  const find = ({ workloads }: Awaited<ReturnType<Agent["status"]>>) => workloads.find((one) => one.uid === uid);
  const status = await agent.until(`${name} seen and no member`, (seen) => find(seen)?.state === "not a member");
  return find(status)?.reason ?? "";
}

const Event = z.object({ seq: z.int(), type: z.string(), subject: z.string(), data: z.looseObject({}) });
export type LoggedEvent = z.output<typeof Event>;

/** The agent's event log from `since` on, in order. */
export async function eventsOf(agent: Agent, since = 0): Promise<LoggedEvent[]> {
  const { stdout, stderr } = await agent.millrace("log", "--jsonl", "--since", String(since));
  if (stderr !== "") throw new ClusterError("ERR_AGENT_COMMAND", `millrace log: ${stderr}`);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Event.parse(JSON.parse(line)));
}

/** The number of the last event so far. */
export async function markOf(agent: Agent): Promise<number> {
  return (await eventsOf(agent)).at(-1)?.seq ?? 0;
}
