import { EventLogReader } from "@millrace/core/internal";
import { within } from "../slow.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { dialBothWays, expectCapturedBothWays } from "../suite/both-ways.ts";
import { eventually } from "../suite/eventually.ts";
import { managedByEbpf } from "../suite/managed-ebpf.ts";
import { managedByIptables } from "../suite/managed-iptables.ts";
import type { ListManaged, ManagedObject } from "../suite/managed-objects.ts";
import { managedByOthers } from "../suite/managed-others.ts";

/** Of whoever is not named here is struck what anybody can find. */
const LISTS: Readonly<Record<string, ListManaged>> = { ebpf: managedByEbpf, iptables: managedByIptables };

export default defineBehaviour({
  id: "drift-repair",
  number: 27,
  title: "What is deleted behind the agent's back is found and mended",
  given: "a member with connections out and in; every kind of kernel object that the backend keeps",
  when: "somebody deletes each in turn (cold), or all of them one after the other without waiting (warm)",
  outcome:
    "the next comparison with the kernel finds it, says so in the event log, and mends it; then the member is captured again; meanwhile nothing gets past the proxy where the rest of the backend guards that kind, as the evidence says of each",
  async run(trial) {
    const { bed, family, temperature, backend, expect } = trial;
    const objects = await (LISTS[backend] ?? managedByOthers)(bed, family);
    expect.that(
      "kinds of objects",
      objects.length > (backend in LISTS ? 5 : 0),
      objects.map(({ kind }) => kind),
    );
    if (temperature === "cold") {
      for (const object of objects) {
        const { escaped, meanwhile } = await strike(trial, [object]);
        expect.note(object.kind, `${object.meanwhile}; ${meanwhile}`);
        if (object.guarded) expect.equal(`${object.kind}: connections past the proxy meanwhile`, escaped, 0);
      }
    } else {
      const { meanwhile } = await strike(
        trial,
        objects.filter(({ isPart }) => isPart !== true),
      );
      expect.note("all of them", meanwhile);
    }
    await expectCapturedBothWays(bed, family, expect);
  },
});

/** Deletes the objects and dials, out and in, until drift has been found and mended. */
async function strike(
  trial: Trial,
  objects: readonly ManagedObject[],
): Promise<{ escaped: number; meanwhile: string }> {
  const { bed, family, expect } = trial;
  using log = EventLogReader.open(bed.node.paths.eventLog);
  const since = log.lastSeq() + 1;
  for (const object of objects) await attempt(object, objects.length > 1);
  const what = objects.length === 1 ? (objects[0]?.kind ?? "") : "all of them";
  const counts = { captured: 0, failed: 0, escaped: 0 };
  await eventually(
    expect,
    `${what}: found and mended`,
    async () => {
      const seen = [...log.read({ since, types: ["drift.found", "drift.mended"] })].map(({ type }) => type);
      if (seen.includes("drift.mended")) return { holds: true, seen };
      for (const result of await dialBothWays(bed, family)) counts[result]++;
      return { holds: false, seen };
    },
    within(30_000),
    100,
  );
  await bed.ready();
  const { captured, failed, escaped } = counts;
  return { escaped, meanwhile: `meanwhile ${captured} captured, ${failed} failed, ${escaped} past the proxy` };
}

/** What went with something deleted before cannot be deleted again. */
async function attempt(object: ManagedObject, together: boolean): Promise<void> {
  try {
    await (object.remove ?? object.change)?.();
  } catch (error) {
    if (!together) throw error;
  }
}
