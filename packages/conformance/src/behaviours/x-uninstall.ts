import { compareSnapshots, snapshot } from "../snapshot/snapshot.ts";
import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectUntouched } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "x-uninstall",
  title: "Uninstalling leaves nothing",
  given: "the state of a node before the agent ever ran, then an agent with members and traffic",
  when: "the agent is stopped and `millrace uninstall` runs",
  outcome: "the state is what it was, in the proxy's namespace too, and members' traffic goes its own way",
  bed: "bare",
  temperatures: ["warm"],
  async run(trial) {
    const { bed, family, expect } = trial;
    const before = await snapshot(bed.node);
    await bed.start();
    const to = { host: bed.ext.address(family), port: SERVER_PORT };
    await contact(trial, bed.m1, to);
    const uninstalled = await bed.uninstall();
    expect.equal("exit status of uninstall", uninstalled.status, 0);
    const verified = await bed.agent.millrace("verify-clean", "--json");
    expect.equal("exit status of verify-clean", verified.status, 0);
    const { left, unseen, unclaimed } = JSON.parse(verified.stdout);
    expect.equal("what verify-clean found", left, []);
    expect.equal("what it could not look at", unseen, []);
    // Another lab's programs on this machine are seen by name only; of this node nothing may be in doubt.
    const here = (unclaimed as string[]).filter((what) => !what.startsWith("BPF program "));
    expect.equal("what may have been left", here, []);
    expect.equal("what changed", compareSnapshots(before, await snapshot(bed.node)), []);
    await expectUntouched(trial, await contact(trial, bed.m1, to));
  },
});
