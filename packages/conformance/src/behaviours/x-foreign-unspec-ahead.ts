import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { ForeignProgram } from "../suite/foreign-program.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "x-foreign-unspec-ahead",
  title: "A foreign program that decides nothing may run first",
  given:
    "a tc program of somebody else before all others on a member's veth, both ways; it leaves the decision to the next",
  when: "the member connects out and is connected to",
  outcome: "both are captured, and the foreign program has seen packets",
  async run(trial) {
    const { bed, family, expect } = trial;
    {
      using foreign = new ForeignProgram("foreign_unspec");
      for (const direction of ["ingress", "egress"] as const) {
        foreign.attachFirst(bed.node.namespace, bed.m1.hostInterface, direction);
      }
      const out = { host: bed.ext.address(family), port: SERVER_PORT };
      const made = await contact(trial, bed.m1, out);
      await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: out });
      const into = { host: bed.m1.address(family), port: SERVER_PORT };
      const came = await contact(trial, bed.ext, into);
      await expectCaptured(trial, came, { frontend: "inbound", source: bed.ext.address(family), destination: into });
      expect.that("packets the foreign program saw", foreign.seen > 0, foreign.seen);
    }
    await bed.agent.untilEnrolled(bed.m1);
  },
});
