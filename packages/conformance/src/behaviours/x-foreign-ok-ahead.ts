import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { ForeignProgram } from "../suite/foreign-program.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "x-foreign-ok-ahead",
  title: "A foreign program that ends the chain is reported, not overwritten",
  given:
    "a tc program of somebody else before all others on a member's veth; it lets every packet pass and ends the chain",
  when: "the agent compares the kernel with what it wants",
  outcome:
    "the member is no longer shown as enrolled but as partial, with the foreign program named; the foreign program stays; when it goes, the member is enrolled and captured again",
  backends: { only: ["ebpf"], because: "a tc program decides for the tc programs behind it; this backend has none" },
  families: [4],
  temperatures: ["cold"],
  async run(trial) {
    const { bed, family, expect } = trial;
    {
      using foreign = new ForeignProgram("foreign_ok");
      foreign.attachFirst(bed.node.namespace, bed.m1.hostInterface, "ingress");
      const status = await bed.agent.until("report of the foreign program", ({ workloads }) =>
        workloads.some(({ uid, state }) => uid === bed.m1.uid && state === "partial"),
      );
      const workload = status.workloads.find(({ uid }) => uid === bed.m1.uid);
      expect.that(
        "it is named",
        workload?.foreign.some(({ owner }) => owner.includes("foreign_ok")) === true,
        workload?.foreign,
      );
      expect.that("it is the reason", workload?.reason?.includes("foreign_ok") === true, workload?.reason ?? "none");
      const seen = foreign.seen;
      await bed.m1.namespace.run("ping", ["-n", "-q", "-c", "1", "-W", "1", bed.ext.address(family)]);
      expect.that("it is still attached", foreign.seen > seen, foreign.seen - seen);
    }
    await bed.agent.untilEnrolled(bed.m1);
    const out = { host: bed.ext.address(family), port: SERVER_PORT };
    const made = await contact(trial, bed.m1, out);
    await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: out });
  },
});
