import { setTimeout as sleep } from "node:timers/promises";
import { EventLogReader } from "@millrace/core/internal";
import { pause } from "../pause.ts";
import { within } from "../slow.ts";
import { compareSnapshots } from "../snapshot/snapshot.ts";
import { ForeignObjects } from "../suite/foreign-objects.ts";
import { ForeignProgram } from "../suite/foreign-program.ts";
import type { Testbed } from "../suite/testbed.ts";
import { image } from "./image.ts";

/** Rule of somebody else ahead of ours that sends everything its own way. */
const RULE = "priority 1 from all lookup 100";

/**
 * Puts objects of somebody else beside and ahead of ours, and lets the agent read the kernel at least twice. Returns what is wrong: that it does not
 * tell of them, that it mends again and again, that one of them was touched.
 */
export async function clashes(bed: Testbed): Promise<string[]> {
  await using beside = await ForeignObjects.create(bed);
  using ahead = new ForeignProgram("foreign_unspec");
  const { namespace } = bed.node;
  await using undo = new AsyncDisposableStack();
  if (bed.options.backend === "ebpf") {
    for (const direction of ["ingress", "egress"] as const) {
      if (bed.options.backendConfig.attach !== "clsact")
        ahead.attachTcxFirst(namespace, bed.m1.hostInterface, direction);
    }
  } else {
    await namespace.ip(`rule add ${RULE}`);
    undo.defer(() => namespace.ip(`rule del ${RULE}`));
  }
  const told = (await readings(bed, 1)).workloads.find(({ uid }) => uid === bed.m1.uid)?.foreign ?? [];
  const before = await image(bed);
  using log = EventLogReader.open(bed.node.paths.eventLog);
  const since = log.lastSeq() + 1;
  await readings(bed, 2);
  const found = [...log.read({ since, types: ["drift.found"] })];
  return [
    ...(told.length > 0 ? [] : [`the status tells of no foreign object, with ${beside.tunnel} and others there`]),
    ...found.map(({ subject, data }) => `drift.found of ${subject} again: ${JSON.stringify(data)}`),
    ...compareSnapshots(before, await image(bed)),
  ];
}

/** Waits until so many readings have begun from now on; the last status. */
async function readings(bed: Testbed, count: number): ReturnType<Testbed["agent"]["status"]> {
  let status = await bed.agent.status();
  for (let left = count; left > 0; left--) {
    const last = status.observation?.time;
    for (const deadline = performance.now() + within(90_000); status.observation?.time === last; ) {
      if (performance.now() > deadline) throw new Error("the agent has not read the kernel for 90 s");
      const began = performance.now();
      status = await bed.agent.status();
      await pause(250, began);
    }
  }
  await sleep(0);
  return status;
}
