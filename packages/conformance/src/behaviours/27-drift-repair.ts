import { EventLogReader } from "@millrace/core";
import { LabError } from "../errors.ts";
import type { LabHost } from "../lab/lab-host.ts";
import { within } from "../slow.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { eventually } from "../suite/eventually.ts";
import { managedByEbpf } from "../suite/managed-ebpf.ts";
import { managedByIptables } from "../suite/managed-iptables.ts";
import type { ListManaged, ManagedObject } from "../suite/managed-objects.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

const LISTS: Readonly<Record<string, ListManaged>> = { ebpf: managedByEbpf, iptables: managedByIptables };

export default defineBehaviour({
  id: "drift-repair",
  number: 27,
  title: "What is deleted behind the agent's back is found and mended",
  given: "a member with connections out and in; every kind of kernel object that the backend keeps",
  when: "somebody deletes each in turn (cold), or all of them one after the other without waiting (warm)",
  outcome:
    "the next comparison with the kernel finds it, says so in the event log, and mends it; then the member is captured again; meanwhile nothing gets past the proxy where the rest of the backend guards that kind, as the evidence says of each",
  backends: {
    only: Object.keys(LISTS),
    because: "only a backend itself knows its objects, and this one has not listed them here",
  },
  async run(trial) {
    const { bed, family, temperature, backend, expect } = trial;
    const list = LISTS[backend];
    if (list === undefined) throw new LabError("ERR_EXPECTATION", `no list of the objects of backend ${backend}`);
    const objects = await list(bed, family);
    expect.that(
      "kinds of objects",
      objects.length > 5,
      objects.map(({ kind }) => kind),
    );
    if (temperature === "cold") {
      for (const object of objects) {
        const { escaped, meanwhile } = await strike(trial, [object]);
        expect.note(object.kind, `${object.meanwhile}; ${meanwhile}`);
        if (object.guarded) expect.equal(`${object.kind}: connections past the proxy meanwhile`, escaped, 0);
      }
    } else {
      const { meanwhile } = await strike(trial, objects);
      expect.note("all of them", meanwhile);
    }
    await capturedAgain(trial, bed.m1, bed.ext, "outbound");
    await capturedAgain(trial, bed.ext, bed.m1, "inbound");
  },
});

/** By the client's port: records of connections that were given up meanwhile may still come. */
async function capturedAgain(
  { bed, family, expect }: Trial,
  from: LabHost,
  to: LabHost,
  frontend: "outbound" | "inbound",
): Promise<void> {
  const since = bed.proxy.mark();
  const client = await from.endpoint();
  const outcome = await client.ask("report", { host: to.address(family), port: SERVER_PORT });
  const seen = expect.success(`${from.name} → ${to.name}, mended`, outcome);
  expect.equal(`${to.name} saw`, seen.peer, from.address(family));
  const own = { source: from.address(family), sourcePort: outcome.ok ? outcome.localPort : 0 };
  const records = await bed.proxy.awaitRecords(own, since);
  expect.equal(
    "the proxy saw it on",
    records.map((record) => record.frontend),
    [frontend],
  );
}

/** Deletes the objects and dials, out and in, until drift has been found and mended. */
async function strike(
  trial: Trial,
  objects: readonly ManagedObject[],
): Promise<{ escaped: number; meanwhile: string }> {
  const { bed, expect } = trial;
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
      for (const result of await Promise.all([dial(trial, bed.m1, bed.ext), dial(trial, bed.ext, bed.m1)]))
        counts[result]++;
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
    await object.remove();
  } catch (error) {
    if (!together) throw error;
  }
}

/** A proxy that speaks for a client does so from a port of its own choice: the server tells whether it was the proxy. */
async function dial({ family }: Trial, from: LabHost, to: LabHost): Promise<"captured" | "failed" | "escaped"> {
  const client = await from.endpoint();
  const outcome = await client.ask("report", { host: to.address(family), port: SERVER_PORT, timeoutMs: 200 });
  if (!outcome.ok) return "failed";
  return outcome.value.peerPort === outcome.localPort ? "escaped" : "captured";
}
