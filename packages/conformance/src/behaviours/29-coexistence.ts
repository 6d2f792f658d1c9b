import { compareSnapshots, snapshot } from "../snapshot/snapshot.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { ForeignObjects } from "../suite/foreign-objects.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "coexistence",
  number: 29,
  title: "What others put on the node stays as it is",
  given:
    "clsact filters at priority 1 handle 1 on a pod's veth, ip rules at priorities 100 to 103 and 20000, routes in table 100, iptables rules at the top of their hooks in both flavours, nftables chains that set marks, a set, a tunnel on Geneve's port, all of somebody else",
  when: "the agent starts, enrols the pod, carries traffic, and is uninstalled",
  outcome: "traffic is captured; afterwards the node's whole state is as before, the foreign objects included",
  bed: "bare",
  async run(trial) {
    const { bed, family, expect } = trial;
    await using foreign = await ForeignObjects.create(bed);
    expect.note("kind of the foreign tunnel on UDP port 6081", foreign.tunnel);
    const before = await snapshot(bed.node);

    await bed.start();
    const out = { host: bed.ext.address(family), port: SERVER_PORT };
    const made = await contact(trial, bed.m1, out);
    await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: out });
    const into = { host: bed.m1.address(family), port: SERVER_PORT };
    const came = await contact(trial, bed.ext, into);
    await expectCaptured(trial, came, { frontend: "inbound", source: bed.ext.address(family), destination: into });
    const status = await bed.agent.status();
    expect.note("reported", status.workloads.find(({ uid }) => uid === bed.m1.uid)?.foreign ?? []);

    const uninstalled = await bed.uninstall();
    expect.equal("exit status of uninstall", uninstalled.status, 0);
    expect.equal("what changed", compareSnapshots(before, await snapshot(bed.node)), []);
    const seen = foreign.filters.seen;
    await bed.m1.namespace.run("ping", ["-n", "-q", "-c", "1", "-W", "1", bed.ext.address(family)]);
    expect.that("the foreign filters still run", foreign.filters.seen > seen, foreign.filters.seen - seen);
  },
});
