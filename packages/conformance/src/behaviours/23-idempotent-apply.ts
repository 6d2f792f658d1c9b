import { compareSnapshots, snapshot } from "../snapshot/snapshot.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "idempotent-apply",
  number: 23,
  title: "Enrolling what is enrolled changes nothing",
  given: "an enrolled pod and the state of its node",
  when: "the CNI plugin announces it twice at once, while its objects are published again",
  outcome: "every announcement succeeds, the node's state is what it was, and the pod is captured once",
  async run(trial) {
    const { bed, family, expect } = trial;
    const before = await snapshot(bed.node);
    const announce = () => bed.node.cni("ADD", bed.m1);
    await Promise.all([announce(), announce(), Promise.resolve().then(() => bed.publish())]);
    await bed.agent.untilEnrolled(bed.m1, bed.m2);
    await announce();
    expect.equal("what changed", compareSnapshots(before, await snapshot(bed.node)), []);
    const to = { host: bed.ext.address(family), port: SERVER_PORT };
    const made = await contact(trial, bed.m1, to);
    await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: to });
  },
});
