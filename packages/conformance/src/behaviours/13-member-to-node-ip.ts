import { defineBehaviour } from "../suite/behaviour.ts";
import { contact, expectCaptured } from "../suite/contact.ts";
import { SERVER_PORT } from "../suite/testbed.ts";

export default defineBehaviour({
  id: "member-to-node-ip",
  number: 13,
  title: "A member's connection to its node is captured like any other",
  given: "a service of the node itself",
  when: "a member connects to it by the node's address",
  outcome:
    "by policy it is captured on 15001 (else node ports would be a way round the proxy) and completes; the service sees the member",
  async run(trial) {
    const { bed, family, expect } = trial;
    await (await bed.node.endpoint()).listen(SERVER_PORT);
    const to = { host: bed.node.address(family), port: SERVER_PORT };
    const made = await contact(trial, bed.m1, to);
    expect.equal("the service saw", made.seen.peer, bed.m1.address(family));
    await expectCaptured(trial, made, { frontend: "outbound", source: bed.m1.address(family), destination: to });
  },
});
