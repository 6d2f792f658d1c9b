import type { LabPod } from "../lab/lab-pod.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { contact, expectCaptured, expectUntouched } from "../suite/contact.ts";
import { NAMESPACES, SERVER_PORT, serve } from "../suite/testbed.ts";

/** All that the new pod is tried with. */
const EXCLUSIONS = {
  "millrace.dev/exclude-outbound-ports": String(SERVER_PORT),
  "millrace.dev/exclude-outbound-cidrs": "198.18.0.0/15,2001:2::/48",
  "millrace.dev/exclude-inbound-ports": String(SERVER_PORT),
  "millrace.dev/exclude-inbound-cidrs": "198.18.0.0/15,2001:2::/48",
};

export default defineBehaviour({
  id: "ip-reuse",
  number: 28,
  title: "An address that is used again does not carry its old owner's membership",
  given:
    "a member that excludes ports and networks and whose pod goes, and a new pod that gets its address: before and after the old pod's object is deleted",
  when: "the new pod is plain, then when it is a member",
  outcome:
    "a plain one is not captured; a member is, whatever the old one excluded, and the deletion of the old object does not take that away",
  async run(trial) {
    const { bed } = trial;
    for (const order of ["object first", "object last"] as const) {
      for (const kind of [NAMESPACES.plain, NAMESPACES.mesh]) {
        const old = await bed.node.addPod({ name: "old", namespace: NAMESPACES.mesh });
        bed.node.applyPod(old, { annotations: EXCLUSIONS });
        await bed.agent.untilEnrolled(old);
        const fresh = await replace(trial, old, kind, order);
        try {
          await probe(trial, fresh, kind === NAMESPACES.mesh);
        } finally {
          bed.node.deletePodObject(fresh);
          await bed.node.removePod(fresh.name);
          await bed.agent.untilLeft(fresh, old);
        }
      }
    }
  },
});

/** Takes `old` away and gives its address to a new pod; the old object goes before the new pod is known, or after. */
async function replace(
  { bed }: Trial,
  old: LabPod,
  namespace: string,
  order: "object first" | "object last",
): Promise<LabPod> {
  await bed.node.removePod(old.name);
  if (order === "object first") bed.node.deletePodObject(old);
  const fresh = await bed.node.addPod({ name: "new", namespace, index: old.index });
  await serve(fresh);
  bed.node.applyPod(fresh);
  // A Job's pod that has ended keeps its object and, until the kubelet says otherwise, its address.
  if (order === "object last") bed.node.applyPod(old, { phase: "Succeeded", annotations: EXCLUSIONS });
  await bed.agent.until("notice of the new pod", ({ workloads }) => workloads.some(({ uid }) => uid === fresh.uid));
  if (order === "object last") bed.node.deletePodObject(old);
  await bed.agent.untilLeft(old);
  return fresh;
}

async function probe(trial: Trial, fresh: LabPod, member: boolean): Promise<void> {
  const { bed, family, expect } = trial;
  if (member) await bed.agent.untilEnrolled(fresh);
  else await bed.agent.untilLeft(fresh);
  const out = { host: bed.ext.address(family), port: SERVER_PORT };
  const made = await contact(trial, fresh, out);
  expect.equal("the server saw", made.seen.peer, fresh.address(family));
  const into = { host: fresh.address(family), port: SERVER_PORT };
  if (!member) {
    await expectUntouched(trial, made);
    await expectUntouched(trial, await contact(trial, bed.ext, into));
    return;
  }
  await expectCaptured(trial, made, { frontend: "outbound", source: fresh.address(family), destination: out });
  const came = await contact(trial, bed.ext, into);
  await expectCaptured(trial, came, { frontend: "inbound", source: bed.ext.address(family), destination: into });
}
