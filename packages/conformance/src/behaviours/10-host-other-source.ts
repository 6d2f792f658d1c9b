import { soon } from "../slow.ts";
import { defineBehaviour, type Trial } from "../suite/behaviour.ts";
import { contact, expectUntouched } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

/** Two addresses of the node: its uplink's, and one that is new to it. */
const ADDED = { 4: "198.18.99.1", 6: "2001:2:0:63::1" } as const;

export default defineBehaviour({
  id: "host-other-source",
  number: 10,
  title: "The node reaches a member from whichever of its addresses",
  given: "a node with several addresses, one of them added a moment ago",
  when: "a process of the node connects to a member from each of them",
  outcome: "each completes at once and, by policy, is not captured: what the node itself sends is a probe",
  async run(trial) {
    const { bed, family, expect } = trial;
    await bed.node.namespace.ip(`addr add ${ADDED[4]}/32 dev lo`, `addr add ${ADDED[6]}/128 dev lo nodad`);
    try {
      await untilNoticed(trial, true);
      for (const localAddress of [bed.node.address(family), ADDED[family]]) {
        const to = { host: bed.m1.address(family), port: SERVER_PORT };
        const made = await contact(trial, bed.node, to, { localAddress });
        expect.equal("the member saw", made.seen.peer, localAddress);
        expect.that("within a second", made.ms < soon(1_000), `${made.ms} ms`);
        await expectUntouched(trial, made);
      }
    } finally {
      await bed.node.namespace.ip(`addr del ${ADDED[4]}/32 dev lo`, `addr del ${ADDED[6]}/128 dev lo`);
      // Else the next trial takes what the agent still shows for what it has noticed.
      await untilNoticed(trial, false);
    }
  },
});

/** Waits until the kernel was seen to have the new addresses among the node's, or no longer. */
async function untilNoticed({ bed }: Trial, there: boolean): Promise<void> {
  await bed.agent.until(`notice of the new addresses ${there ? "coming" : "going"}`, ({ observation }) => {
    const seen = observation?.nodeAddresses ?? [];
    return Object.values(ADDED).every((address) => seen.includes(address) === there);
  });
}
