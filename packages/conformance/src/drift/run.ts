import { setTimeout as sleep } from "node:timers/promises";
import { EventLogReader, subjects } from "@millrace/core/internal";
import { within } from "../slow.ts";
import { compareSnapshots, type Snapshot } from "../snapshot/snapshot.ts";
import type { ManagedObject } from "../suite/managed-objects.ts";
import { OTHER_PORT, Testbed, type TestbedOptions } from "../suite/testbed.ts";
import { catalogue, unaccounted } from "./catalogue.ts";
import { clashes } from "./clashes.ts";
import { image } from "./image.ts";
import { type How, type Struck, strike } from "./strike.ts";

export interface DriftOptions extends TestbedOptions {
  /** Which strikes, by name; default all. */
  readonly only?: RegExp;
  readonly onStruck?: (struck: Struck) => void;
}

export interface DriftOutcome {
  readonly struck: readonly Struck[];
  /** Lines of the kernel's state that no kind accounts for. */
  readonly unaccounted: readonly string[];
  /** What is wrong about foreign objects. */
  readonly clashes: readonly string[];
}

/** A member with everything that makes a backend keep objects for it. */
const EVERYTHING = {
  "millrace.dev/dns-capture": "true",
  "millrace.dev/exclude-outbound-ports": String(OTHER_PORT),
  "millrace.dev/exclude-outbound-cidrs": "198.18.99.0/24,2001:2:0:99::/64",
  "millrace.dev/exclude-inbound-ports": String(OTHER_PORT),
};

interface Place {
  readonly bed: Testbed;
  /** The node before there was an agent, and with everything. */
  readonly bare: Snapshot;
  readonly full: Snapshot;
  readonly objects: readonly ManagedObject[];
}

/**
 * Strikes every object of a backend, one at a time, on a node with a real agent that compares at the default interval. A node on which something was not
 * mended is thrown away.
 */
export async function runDrift(options: DriftOptions): Promise<DriftOutcome> {
  const struck: Struck[] = [];
  let place: Place | undefined;
  await using atLast = new AsyncDisposableStack();
  atLast.defer(async () => place?.bed[Symbol.asyncDispose]());
  place = await enter(options);
  const first = place;
  const missing = unaccounted(first.bare, first.full, first.objects);
  for (const { kind, how } of strikes(first.objects, options.only)) {
    place ??= await enter(options);
    const object = place.objects.find((each) => each.kind === kind);
    if (object === undefined) throw new Error(`${kind} is not there any more`);
    const result = await strike(place.bed, object, how, place.full);
    struck.push(result);
    options.onStruck?.(result);
    if (result.failures.length > 0) {
      await place.bed[Symbol.asyncDispose]();
      place = undefined;
    }
  }
  const clashing = options.only === undefined && place !== undefined ? await clashes(place.bed) : [];
  return { struck, unaccounted: missing, clashes: clashing };
}

function strikes(objects: readonly ManagedObject[], only: RegExp | undefined): { kind: string; how: How }[] {
  return objects
    .flatMap(({ kind, remove, change }) => [
      ...(remove === undefined ? [] : [{ kind, how: "deleted" as const }]),
      ...(change === undefined ? [] : [{ kind, how: "changed" as const }]),
    ])
    .filter(({ kind, how }) => only?.test(`${kind}, ${how}`) ?? true);
}

async function enter(options: DriftOptions): Promise<Place> {
  await using undo = new AsyncDisposableStack();
  const bed = undo.use(await Testbed.bare(options));
  await bed.startProxy();
  const bare = await settled(bed);
  // No interval of the suite's: the default one is what is to be shown.
  await bed.startAgent({ resync: {} });
  await bed.ready();
  using log = EventLogReader.open(bed.node.paths.eventLog);
  const since = log.lastSeq() + 1;
  bed.node.applyPod(bed.m1, { annotations: EVERYTHING });
  await bed.agent.until("everything about m1 in the kernel", () =>
    [...log.read({ since, types: ["redirection.applied"] })].some(
      ({ subject }) => subject === subjects.workload(bed.m1.uid),
    ),
  );
  await bed.ready();
  const full = await settled(bed);
  const objects = await catalogue(bed, bare, full);
  undo.move();
  return { bed, bare, full, objects };
}

/** The image once two in a row are the same. */
async function settled(bed: Testbed): Promise<Snapshot> {
  let last = await image(bed);
  for (const deadline = performance.now() + within(60_000); performance.now() < deadline; ) {
    await sleep(1_000);
    const next = await image(bed);
    if (compareSnapshots(last, next).length === 0) return next;
    last = next;
  }
  throw new Error("the node does not come to rest");
}
