import { setTimeout as sleep } from "node:timers/promises";
import { EventLogReader } from "@millrace/core/internal";
import { FAMILIES } from "../lab/addresses.ts";
import { within } from "../slow.ts";
import { compareSnapshots, type Snapshot } from "../snapshot/snapshot.ts";
import { type Dialled, dialBothWays, expectCapturedBothWays } from "../suite/both-ways.ts";
import { Expect } from "../suite/expect.ts";
import type { ManagedObject } from "../suite/managed-objects.ts";
import type { Testbed } from "../suite/testbed.ts";
import { image } from "./image.ts";

export type How = "deleted" | "changed";

export interface Struck {
  readonly name: string;
  /** Milliseconds from the strike to its event; undefined: none came. */
  readonly foundMs?: number;
  readonly mendedMs?: number;
  /** Connections that were tried between the strike and the mending. */
  readonly meanwhile: Readonly<Record<Dialled, number>>;
  /** Why it does not count as found and mended. */
  readonly failures: readonly string[];
}

/** Longest wait for the events: twice what is to be shown, so that what is slow is seen to be slow and not missing. */
const PATIENCE_MS = within(60_000);
/** After what is mended the kernel may still be at work: duplicate detection, carrier. */
const SETTLING_MS = within(10_000);
const DIALLING_MS = 250;

/** Strikes one object and follows what becomes of it until the node is as in `wanted`. */
export async function strike(bed: Testbed, object: ManagedObject, how: How, wanted: Snapshot): Promise<Struck> {
  const name = `${object.kind}, ${how}`;
  const meanwhile: Record<Dialled, number> = { captured: 0, failed: 0, escaped: 0 };
  const failures: string[] = [];
  using log = EventLogReader.open(bed.node.paths.eventLog);
  const since = log.lastSeq() + 1;
  const struckAt = Date.now();
  await (how === "deleted" ? object.remove : object.change)?.();
  let found: number | undefined;
  let mended: number | undefined;
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; ) {
    for (const { type, subject, time } of log.read({ since, types: ["drift.found", "drift.mended"] })) {
      if (subject !== object.subject) continue;
      if (type === "drift.found") found ??= Date.parse(time) - struckAt;
      else if (found !== undefined) mended ??= Date.parse(time) - struckAt;
    }
    if (mended !== undefined) break;
    for (const family of FAMILIES) for (const result of await dialBothWays(bed, family)) meanwhile[result]++;
    await sleep(DIALLING_MS);
  }
  if (found === undefined) failures.push(`no drift.found of ${object.subject}`);
  else if (mended === undefined) failures.push(`no drift.mended of ${object.subject}`);
  failures.push(...(await differences(bed, wanted)));
  if (object.guarded && meanwhile.escaped > 0) failures.push(`${meanwhile.escaped} connections escaped meanwhile`);
  if (failures.length === 0) failures.push(...(await notCaptured(bed)));
  return {
    name,
    ...(found !== undefined && { foundMs: found }),
    ...(mended !== undefined && { mendedMs: mended }),
    meanwhile,
    failures,
  };
}

/** None once the node is as it was. */
async function differences(bed: Testbed, wanted: Snapshot): Promise<string[]> {
  const deadline = performance.now() + SETTLING_MS;
  for (;;) {
    const different = compareSnapshots(wanted, await image(bed));
    if (different.length === 0 || performance.now() > deadline) return different;
    await sleep(500);
  }
}

async function notCaptured(bed: Testbed): Promise<string[]> {
  const expect = new Expect();
  try {
    await bed.ready();
    for (const family of FAMILIES) await expectCapturedBothWays(bed, family, expect);
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
