import { compareSnapshots, snapshot } from "../snapshot/snapshot.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured, expectUntouched } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "unenrol",
  number: 22,
  title: "Leaving the mesh leaves nothing, and coming back works",
  given: "a plain pod and the state of its node: rules, routes, sets, filters, links, pins, sysctls",
  when: "its namespace is labelled, unlabelled, labelled and unlabelled again, with traffic in between",
  outcome: "it is captured whenever labelled and untouched otherwise; unlabelled, the node's state is what it was",
  async run(trial) {
    const { bed, family, expect } = trial;
    const to = { host: bed.ext.address(family), port: SERVER_PORT };
    const source = bed.l1.address(family);
    const before = await snapshot(bed.node);
    for (const round of ["first", "second"]) {
      bed.labelLate(true);
      await bed.agent.untilEnrolled(bed.l1);
      await expectCaptured(trial, await contact(trial, bed.l1, to), { frontend: "outbound", source, destination: to });
      bed.labelLate(false);
      await bed.agent.untilLeft(bed.l1);
      await expectUntouched(trial, await contact(trial, bed.l1, to));
      expect.equal(`what the ${round} time left`, compareSnapshots(before, await snapshot(bed.node)), []);
    }
  },
});
