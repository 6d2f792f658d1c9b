import { setTimeout as sleep } from "node:timers/promises";
import type { LabPod } from "../../lab/lab-pod.ts";
import { within } from "../../slow.ts";
import { expect } from "../scenario.ts";
import type { Stage } from "../stage.ts";

const PATIENCE_MS = within(20_000);

/** Publishes a pod of node 1 with these annotations, and waits until the kernel was changed for it. */
export async function annotate(
  stage: Stage,
  pod: LabPod,
  annotations: Readonly<Record<string, string>>,
): Promise<void> {
  const before = await timesApplied(stage, pod);
  stage.lab.node(1).applyPod(pod, { annotations });
  const deadline = performance.now() + PATIENCE_MS;
  while ((await timesApplied(stage, pod)) === before) {
    expect(performance.now() < deadline, `the agent has not applied ${JSON.stringify(annotations)} to ${pod.name}`);
    await sleep(100);
  }
  await stage.agent(1).untilEnrolled(pod);
}

async function timesApplied(stage: Stage, pod: LabPod): Promise<number> {
  const query = ["--jsonl", "--type", "redirection.applied", "--subject", `workload/${pod.uid}`];
  const { status, stdout, stderr } = await stage.agent(1).millrace("log", ...query);
  expect(status === 0, `millrace log ended with ${status}: ${stderr}`);
  return stdout.split("\n").filter((line) => line !== "").length;
}
