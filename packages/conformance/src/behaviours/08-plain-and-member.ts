import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured, expectUntouched } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "plain-and-member",
  number: 8,
  title: "Pods outside the mesh are captured at the member's end only, and never among themselves",
  given: "a member, a plain pod on the same node, a host outside",
  when: "plain connects to member, member to plain, plain to outside and outside to plain",
  outcome:
    "the first is captured once inbound, the second once outbound, the others not at all and their bytes arrive whole",
  async run(trial) {
    const { bed, family, expect } = trial;
    const at = (host: { address(family: 4 | 6): string }) => ({ host: host.address(family), port: SERVER_PORT });

    const toMember = await contact(trial, bed.p1, at(bed.m1));
    expect.equal("the member saw", toMember.seen.peer, bed.p1.address(family));
    await expectCaptured(trial, toMember, {
      frontend: "inbound",
      source: bed.p1.address(family),
      destination: at(bed.m1),
    });

    const toPlain = await contact(trial, bed.m1, at(bed.p1));
    expect.equal("the plain pod saw", toPlain.seen.peer, bed.m1.address(family));
    await expectCaptured(trial, toPlain, {
      frontend: "outbound",
      source: bed.m1.address(family),
      destination: at(bed.p1),
    });

    const out = await contact(trial, bed.p1, at(bed.ext));
    expect.equal("the host outside saw", out.seen.peer, bed.p1.address(family));
    await expectUntouched(trial, out);
    const back = await contact(trial, bed.ext, at(bed.p1));
    await expectUntouched(trial, back);
    const client = await bed.p1.endpoint();
    const up = expect.success("plain upload", await client.ask("upload", { ...at(bed.ext), bytes: 1_000_000 }));
    expect.equal("its SHA-256", up.sha256, up.sentSha256);
  },
});
